"""The images that the single-task baselines were measured on, told from those that are here."""

from jdbench.data import DATASETS, contents
from jdbench.errors import DataError, InputError
from jdbench.problems.single_task import ImagesFacts, content


def facts(names: tuple[str, ...]) -> dict[str, ImagesFacts]:
    """Return what the files of data sets hold: number of images and digest by data set.

    Args:
        names: Names of images. Those that come with a package are passed over, and of those that are not here
            what is stored is kept.

    Returns:
        What `baselines.json` stores under ``images``.
    """
    here = {name: contents(name) for name in names if name in DATASETS}
    stored = content()["images"]
    return {
        name: stored[name] if found is None else {"images": found.images, "sha256": found.sha256}
        for name, found in here.items()
        if found is not None or name in stored
    }


def difference(name: str) -> str:
    """Return that the images here are others than those the baselines were measured on, and what to do.

    Δm% would compare a model trained on some images with baselines trained on others: one on 8,192 images of
    MNIST generalises worse than one on all 60,000.

    Args:
        name: Name of images.

    Returns:
        One line; empty where they are the same, or not here.
    """
    try:
        found = contents(name) if name in DATASETS else None
    except (DataError, InputError):
        return ""  # whoever reads them is told
    stored = content()["images"].get(name)
    if found is None or (stored and found.sha256 == stored["sha256"]):
        return ""
    measured = f"{stored['images']} images, sha256 {stored['sha256'][:12]}" if stored else "unknown ones"
    return (
        f"data={name!r}, required the images of the stored baselines ({measured}) for Δm%, got {found}: runs "
        "have no Δm%, run `make baselines` to measure the baselines anew"
    )
