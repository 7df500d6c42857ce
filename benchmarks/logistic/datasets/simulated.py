"""Simulated data of controlled size, number of classes, condition number, sparsity and noise."""

import numpy as np
from benchopt import BaseDataset

from benchmarks.curves import simulated


class Dataset(BaseDataset):
    """Classes drawn by the softmax of scores, X W over `noise`: with much of it the classes overlap."""

    name = "simulated"
    parameters = {
        "n_samples, n_features": [(1000, 30)],
        "n_classes": [2, 4],
        "condition": [1, 1e4],
        "density": [1.0],
        "noise": [0.5],
        "seed": [0],
    }
    test_config = {"n_samples": 200, "n_features": 10, "condition": 10}
    test_parameters = {"n_classes": [2, 4]}
    requirements = ["numpy", "scipy"]

    def get_data(self):
        X = simulated(self.n_samples, self.n_features, self.condition, self.density, self.seed)
        rng = np.random.default_rng(self.seed + 1)
        scores = X @ rng.standard_normal((self.n_features, self.n_classes))
        scores = (scores - scores.mean(axis=0)) / (self.noise * scores.std(axis=0))
        # Gumbel noise makes the largest score a draw from the softmax.
        return {"X": X, "y": np.argmax(scores + rng.gumbel(size=scores.shape), axis=1), "missing": ""}
