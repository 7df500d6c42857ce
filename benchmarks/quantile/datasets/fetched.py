"""What scikit-learn fetches: read from the folder that SCIKIT_LEARN_DATA names, never downloaded here."""

from benchopt import BaseDataset

from benchmarks.curves import data


class Dataset(BaseDataset):
    """20,640 districts, eight measurements in their own units."""

    name = "california"
    requirements = ["scikit-learn"]

    def get_data(self):
        return data("california")
