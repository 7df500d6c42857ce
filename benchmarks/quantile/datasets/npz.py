"""Files with arrays X and y in the folder that SKLEARN_GD_DATA names."""

from benchopt import BaseDataset

from benchmarks.curves import npz


class Dataset(BaseDataset):
    """``NAME.npz``; further files of yours by ``-d "npz[file=NAME]"``."""

    name = "npz"
    parameters = {"file": ["uci_protein", "blogfeedback"]}
    requirements = ["numpy"]

    def get_data(self):
        return npz(self.file)
