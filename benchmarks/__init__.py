"""Gradient descent against the closed-form normal equation: ``python -m benchmarks --help``.

======================= =====================================================================
`benchmarks.__main__`   the command line
`benchmarks.real_data`  part 1: real data, every learning-rate rule
`benchmarks.growth`     part 2: seconds against features and samples, and where the two cross
`benchmarks.breakdown`  part 3: where the closed form breaks
`benchmarks.methods`    the contestants
`benchmarks.exact`      the solutions that they are measured against
`benchmarks.measure`    fits and their seconds, taken in turn
`benchmarks.pictures`   the pictures
======================= =====================================================================

Beside it ``python -m benchmarks.time_to_accuracy --help``: the automatic rule against scikit-learn's solvers, on the problems of
`benchmarks.problems`; ``TIME_TO_ACCURACY.md`` holds its table. ``python -m benchmarks.shapes --help``: the same over grids of
shapes. ``python -m benchmarks.search --help``: cross-validated searches. ``python -m benchmarks.losses --help``: quantile, Poisson
and Huber regression beside other packages. ``python -m benchmarks.cost_model``: the machine's ratios, which plans are priced by.
"""
