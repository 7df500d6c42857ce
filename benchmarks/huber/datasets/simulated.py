"""Simulated data of controlled size, condition number and sparsity, a share of the targets far off."""

import numpy as np
from benchopt import BaseDataset

from benchmarks.curves import simulated
from benchmarks.losses import contaminated


class Dataset(BaseDataset):
    """y = X w + 1 + noise; outliers lie some fifty times as far off."""

    name = "simulated"
    parameters = {
        "n_samples, n_features": [(1000, 30)],
        "condition": [1, 1e4],
        "density": [1.0],
        "outliers": [0.1],
        "seed": [0],
    }
    test_config = {"n_samples": 200, "n_features": 10, "condition": 10}
    requirements = ["numpy", "scipy"]

    def get_data(self):
        X = simulated(self.n_samples, self.n_features, self.condition, self.density, self.seed)
        return {"X": X, "y": contaminated(X, self.outliers, np.random.default_rng(self.seed + 1)), "missing": ""}
