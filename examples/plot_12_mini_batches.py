"""
Batches, mini-batches, single samples
=====================================

A step along the gradient of all samples costs a pass over the data; for the same price there is
a step for each 32 of them, or for each one. In the first passes many short steps go much further
than one. Then the noise of their gradients, which are not zero at the optimum, keeps a constant
rate away from it: it levels off. A falling rate averages the noise away, and slows down.

The comparison is L. Bottou's, "Large-scale machine learning with stochastic gradient descent",
COMPSTAT 2010, doi:10.1007/978-3-7908-2604-3_16.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sklearn_gd import GDLogisticRegression
from sklearn_gd.plots.style import COLOURS, ink, plain

X, y = load_breast_cancer(return_X_y=True)
X = scale(X)
optimum = GDLogisticRegression(tol=1e-9).fit(X, y).loss_curve_[-1]

# %%
# With ``batch_size`` an iteration is a pass, as one without is. A callable counts the steps: here
# 569 a pass. Change the rates: three times the rate of single samples is three times the noise.

ways = {
    "all samples, η = 0.3": {"learning_rate": 0.3},
    "32 at a time, η = 0.3": {"learning_rate": 0.3, "batch_size": 32},
    "one at a time, η = 0.05": {"learning_rate": 0.05, "batch_size": 1},
    "one at a time, η falls": {
        "learning_rate": lambda k: 0.1 / (1 + 0.001 * k),
        "batch_size": 1,
    },
}
passes = 100
gaps = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # none arrives in a hundred passes
    for name, way in ways.items():
        model = GDLogisticRegression(max_iter=passes, tol=0, random_state=0, **way).fit(X, y)
        gaps[name] = np.array(model.loss_curve_) / optimum - 1

# %%

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for (name, gap), colour in zip(gaps.items(), COLOURS, strict=False):
    ax.loglog(range(1, passes + 1), gap[1:], color=colour, linewidth=2)
    ax.annotate(
        name,
        (passes, gap[-1]),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=ink(colour),
    )
ax.set(
    title="relative gap to the least loss",
    xlabel="passes over the data",
    xlim=(1, 600),
    ylim=(1.5e-3, 10),
)
ax.set_xticks([1, 10, 100], ["1", "10", "100"])
ax.xaxis.set_minor_locator(plt.NullLocator())
plain(ax)
plt.show()
