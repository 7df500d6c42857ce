"""What comes with scikit-learn."""

from benchopt import BaseDataset

from benchmarks.curves import data


class Dataset(BaseDataset):
    """Two classes (breast_cancer), three (iris, wine) and ten (digits), as they are or standardised."""

    name = "bundled"
    parameters = {
        "data": ["breast_cancer", "iris", "wine", "digits"],
        "scaling": ["raw", "standardised"],
    }
    requirements = ["scikit-learn"]

    def get_data(self):
        return data(f"{self.data}-{'raw' if self.scaling == 'raw' else 'std'}")
