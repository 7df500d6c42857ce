"""
The learning rate as a function of the iteration
================================================

Six schedules with the same first rate. Where the sum of a schedule's rates is finite the run
dries up on its way, however many iterations it is given: here the exponential one. Batch
gradients carry no noise that a falling rate would have to average away, so the constant rate
comes closest.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sklearn_gd import GDLinearRegression, steps
from sklearn_gd.plots.style import COLOURS, ink, plain

X, y = load_diabetes(return_X_y=True)
X = scale(X)
# A ridge penalty makes the condition number 40: in 400 iterations the rates have time to tell.
alpha = 0.1
L = np.linalg.eigvalsh(X.T @ X / len(y))[-1] + alpha
first = 1 / L  # the largest rate that never raises the loss
optimum = GDLinearRegression(alpha=alpha).fit(X, y).loss_curve_[-1]

schedules = {
    "constant": first,
    "step": steps.StepDecay(first, factor=0.5, every=150),
    "cosine": steps.Cosine(first, period=400),
    "inverse time": steps.InverseTime(first, decay=0.02),
    "1/√(1 + k)": lambda k: first / (1 + k) ** 0.5,
    "exponential": steps.Exponential(first, decay=0.05),
}

# %%
# None of them is to stop before its 400 iterations, and each warns that it has not converged;
# here that is the point.

runs = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name, schedule in schedules.items():
        runs[name] = GDLinearRegression(
            alpha=alpha, learning_rate=schedule, max_iter=400, tol=0
        ).fit(X, y)

gaps = {name: np.array(run.loss_curve_) / optimum - 1 for name, run in runs.items()}

# %%

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
# the iteration at which a curve on the left is alone, and its name's place about that point
places = [(90, 4), (220, 4), (330, 4), (190, 5), (230, 5), (95, 4)]
for (name, run), colour, (k, above) in zip(runs.items(), COLOURS, places, strict=False):
    rates = run.history_["learning_rate"][1:]
    left.semilogy(rates, color=colour, linewidth=2)
    right.semilogy(gaps[name], color=colour, linewidth=2)
    text = {"textcoords": "offset points", "color": ink(colour)}
    left.annotate(name, (k, rates[k]), xytext=(5, above), **text)
    right.annotate(name, (400, gaps[name][-1]), xytext=(5, 0), va="center", **text)
left.set(title="learning rate η(k)", xlabel="iteration k", xlim=(0, 400), ylim=(3e-4, 0.4))
right.set(title="relative gap to the least loss", xlabel="iteration k", xlim=(0, 550))
right.set_xticks(range(0, 401, 100))
for ax in (left, right):
    plain(ax)
plt.show()
