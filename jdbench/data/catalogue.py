"""The data sets of [JD] Section 5: where each is published, its checksums, and what it holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jdbench.data.formats import Arrays, read_cifar10, read_eurosat, read_idx, read_svhn
from jdbench.errors import unknown_name


@dataclass(frozen=True)
class SourceFile:
    """A file to download.

    Attributes:
        name: Its name.
        urls: Where it is, the official place first; copies of the same bytes after it.
        checksum: ``algorithm:hexadecimal`` as published.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str


@dataclass(frozen=True)
class DataSet:
    """Images of ten classes.

    The checksums are the MD5 sums that the publishers state (CIFAR-10, EuroSAT, Fashion-MNIST) or that
    torchvision has long used for the same files. MD5 detects a damaged or wrong file; it does
    not stop a forger, so the readers execute nothing.

    Attributes:
        name: What it is called here.
        title: What it is called elsewhere.
        count: Images in the official training split, or in all where there is no split.
        shape: Height, width and channels.
        mean: Of each channel over these images, as a share of the largest pixel value.
        deviation: The standard deviation, likewise.
        files: What to download; none where the data set comes with a package.
        read: Takes the downloaded files, in order, to images and labels.
        licence: What its publisher says on use.
        source: Where it was published.

    Example:
        >>> from jdbench.data import DATASETS
        >>> known = DATASETS["mnist"]
        >>> known.title, known.count, known.shape, known.licence
        ('MNIST', 60000, (28, 28, 1), 'CC BY-SA 3.0')
        >>> [file.name for file in known.files]
        ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz']
    """

    name: str
    title: str
    count: int
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    files: tuple[SourceFile, ...]
    read: Callable[[Sequence[Path]], Arrays]
    licence: str
    source: str


CLASSES = 10
"""Of every data set here."""


def _idx(base: tuple[str, ...], images: str, labels: str) -> tuple[SourceFile, ...]:
    return tuple(
        SourceFile(file, tuple(f"{url}/{file}" for url in base), f"md5:{checksum}")
        for file, checksum in (("train-images-idx3-ubyte.gz", images), ("train-labels-idx1-ubyte.gz", labels))
    )


# Means and deviations of the whole training splits as commonly quoted, to four digits or more: in units of the
# deviation they are right to 3e-4. The tests compare them with whatever part of a split is at hand.
DATASETS = {
    d.name: d
    for d in (
        DataSet(
            "svhn",
            "SVHN, cropped digits",
            73_257,
            (32, 32, 3),
            (0.4376821, 0.4437697, 0.4728044),
            (0.1980301, 0.2010157, 0.1970359),
            (
                SourceFile(
                    "train_32x32.mat",
                    ("http://ufldl.stanford.edu/housenumbers/train_32x32.mat",),
                    "md5:e26dedcc434d2e4c54c9b2d4a06d8373",
                ),
            ),
            read_svhn,
            "non-commercial use only",
            "Netzer et al. 2011",
        ),
        DataSet(
            "cifar10",
            "CIFAR-10",
            50_000,
            (32, 32, 3),
            (0.4913997, 0.4821584, 0.4465309),
            (0.2470323, 0.2434851, 0.2615877),
            (
                # The binary version: the Python version is pickled.
                SourceFile(
                    "cifar-10-binary.tar.gz",
                    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                    "md5:c32a1d4ab5d03f1284b67883e8d87530",
                ),
            ),
            read_cifar10,
            "none stated; cite the report",
            "Krizhevsky 2009",
        ),
        DataSet(
            "eurosat",
            "EuroSAT, RGB",
            27_000,
            (64, 64, 3),
            (0.3444, 0.3803, 0.4078),
            (0.2027, 0.1369, 0.1156),
            (
                SourceFile(
                    "EuroSAT_RGB.zip",
                    ("https://zenodo.org/records/7711810/files/EuroSAT_RGB.zip",),
                    "md5:f46e308c4d50d4bf32fedad2d3d62f3b",
                ),
            ),
            read_eurosat,
            "MIT",
            "Helber et al. 2019",
        ),
        DataSet(
            "mnist",
            "MNIST",
            60_000,
            (28, 28, 1),
            (0.1306604,),
            (0.3081078,),
            _idx(
                ("http://yann.lecun.com/exdb/mnist", "https://ossci-datasets.s3.amazonaws.com/mnist"),
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "d53e105ee54ea40749a09fcbcd1e9432",
            ),
            read_idx,
            "CC BY-SA 3.0",
            "LeCun et al. 1998",
        ),
        DataSet(
            "fashion_mnist",
            "Fashion-MNIST",
            60_000,
            (28, 28, 1),
            (0.2860406,),
            (0.3530242,),
            _idx(
                ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",),
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "25c81989df183df01b3e8a0aad5dffbe",
            ),
            read_idx,
            "MIT",
            "Xiao et al. 2017",
        ),
        DataSet(
            "kmnist",
            "Kuzushiji-MNIST",
            60_000,
            (28, 28, 1),
            (0.1918,),
            (0.3483,),
            _idx(
                ("http://codh.rois.ac.jp/kmnist/dataset/kmnist",),
                "bdb82020997e1d708af4cf47b453dcf7",
                "e144d726b3acfaa3e44228e80efcd344",
            ),
            read_idx,
            "CC BY-SA 4.0",
            "Clanuwat et al. 2018",
        ),
    )
}
"""By name, in the order of [JD] Section 5."""


def data_set(name: str) -> DataSet:
    """Return what there is to know of a data set.

    Args:
        name: One of `DATASETS`.

    Returns:
        Its entry.

    Raises:
        UnknownNameError: There is no such data set.

    Example:
        >>> from jdbench.data import data_set
        >>> data_set("svhn").licence
        'non-commercial use only'
        >>> data_set("mnit")
        Traceback (most recent call last):
            ...
        jdbench.errors.UnknownNameError: data='mnit', required a known data, ..., did you mean mnist?
    """
    if name not in DATASETS:
        raise unknown_name("data", name, [*DATASETS, "digits"])
    return DATASETS[name]
