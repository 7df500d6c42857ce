"""What comes with scikit-learn."""

from functools import partial

from benchopt import BaseDataset
from sklearn.datasets import load_diabetes

from benchmarks.curves import bundled


class Dataset(BaseDataset):
    """442 patients, ten measurements in their own units."""

    name = "diabetes"
    requirements = ["scikit-learn"]

    def get_data(self):
        return bundled(partial(load_diabetes, scaled=False))
