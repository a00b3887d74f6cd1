"""The data sets of [JD] Section 5 and scikit-learn's digits, as arrays; nothing is downloaded unasked."""

from jdbench.data.arrays import DIGITS, absence, dataset, locate
from jdbench.data.catalogue import CLASSES, DATASETS, DataSet, data_set
from jdbench.data.contents import Contents, contents, image_count
from jdbench.data.formats import Arrays
from jdbench.data.preparation import prepare

__all__ = [
    "CLASSES",
    "DATASETS",
    "DIGITS",
    "Arrays",
    "Contents",
    "DataSet",
    "absence",
    "contents",
    "data_set",
    "dataset",
    "image_count",
    "locate",
    "prepare",
]
