"""What scikit-learn fetches: read from the folder that SCIKIT_LEARN_DATA names, never downloaded here."""

from benchopt import BaseDataset

from benchmarks.curves import data


class Dataset(BaseDataset):
    """Intrusions (two classes; sparse, or dense and standardised) and documents (20 classes, their labels planted)."""

    name = "fetched"
    parameters = {"data": ["kddcup99-sparse", "kddcup99-std", "20newsgroups_planted"]}
    requirements = ["scikit-learn"]

    def get_data(self):
        return data(self.data)
