"""A simulated table of insurance claims."""

from benchopt import BaseDataset

from benchmarks.losses import claims


class Dataset(BaseDataset):
    """Frequencies with exposures: ages, power and density in their own units beside one-hot encoded categories, sparse."""

    name = "claims"
    parameters = {"n_samples": [20_000], "seed": [0]}
    requirements = ["numpy", "scipy"]

    def get_data(self):
        table = claims(self.n_samples, self.seed)
        return {"X": table.X, "y": table.y, "sample_weight": table.sample_weight}
