"""What comes with scikit-learn."""

from benchopt import BaseDataset
from sklearn.datasets import load_diabetes


class Dataset(BaseDataset):
    """442 patients, ten measurements in their own units."""

    name = "diabetes"
    requirements = ["scikit-learn"]

    def get_data(self):
        X, y = load_diabetes(return_X_y=True, scaled=False)
        return {"X": X, "y": y, "missing": ""}
