"""Files with arrays X and y in the folder that SKLEARN_GD_DATA names."""

from benchopt import BaseDataset

from benchmarks.curves import npz


class Dataset(BaseDataset):
    """``NAME.npz``, as it is or standardised; further files of yours by ``-d "npz[file=NAME]"``."""

    name = "npz"
    parameters = {"file": ["credit_default", "adult", "golub_leukemia"], "scaling": ["raw", "standardised"]}
    requirements = ["numpy"]

    def get_data(self):
        return npz(self.file, self.scaling)
