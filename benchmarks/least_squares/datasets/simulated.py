"""Simulated data of controlled size, condition number, sparsity and noise."""

import numpy as np
from benchopt import BaseDataset

from benchmarks.curves import simulated


class Dataset(BaseDataset):
    """y = X w + 1 + noise, w of norm 1, the noise relative to the spread of X w."""

    name = "simulated"
    parameters = {
        "n_samples, n_features": [(1000, 30)],
        "condition": [1, 1e4],
        "density": [1.0],
        "noise": [0.5],
        "seed": [0],
    }
    test_config = {"n_samples": 200, "n_features": 10, "condition": 10, "noise": 0.5}
    requirements = ["numpy", "scipy"]

    def get_data(self):
        X = simulated(self.n_samples, self.n_features, self.condition, self.density, self.seed)
        rng = np.random.default_rng(self.seed + 1)
        signal = X @ rng.standard_normal(self.n_features)
        y = signal / signal.std() + 1 + self.noise * rng.standard_normal(self.n_samples)
        return {"X": X, "y": y, "missing": ""}
