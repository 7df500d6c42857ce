"""Simulated data of controlled size, condition number and sparsity, and the counts of a log-linear model."""

import numpy as np
from benchopt import BaseDataset

from benchmarks.curves import simulated
from benchmarks.losses import events


class Dataset(BaseDataset):
    """Counts whose rates vary by a factor of two about their middle, `rate`."""

    name = "simulated"
    parameters = {
        "n_samples, n_features": [(1000, 30)],
        "condition": [1, 1e4],
        "density": [1.0],
        "rate": [1.0],
        "seed": [0],
    }
    test_config = {"n_samples": 200, "n_features": 10, "condition": 10}
    requirements = ["numpy", "scipy"]

    def get_data(self):
        X = simulated(self.n_samples, self.n_features, self.condition, self.density, self.seed)
        return {"X": X, "y": events(X, self.rate, np.random.default_rng(self.seed + 1))}
