"""Simulated data of controlled size, condition number and sparsity; the noise grows along one column."""

import numpy as np
from benchopt import BaseDataset

from benchmarks.curves import simulated
from benchmarks.losses import spreading


class Dataset(BaseDataset):
    """y = X w + 1 + noise, t-distributed with three degrees of freedom."""

    name = "simulated"
    parameters = {
        "n_samples, n_features": [(1000, 10)],
        "condition": [1, 1e4],
        "density": [1.0],
        "seed": [0],
    }
    test_config = {"n_samples": 200, "n_features": 5, "condition": 10}
    requirements = ["numpy", "scipy"]

    def get_data(self):
        X = simulated(self.n_samples, self.n_features, self.condition, self.density, self.seed)
        return {"X": X, "y": spreading(X, np.random.default_rng(self.seed + 1)), "missing": ""}
