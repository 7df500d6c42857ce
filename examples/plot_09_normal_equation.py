"""
Gradient descent against the normal equation
============================================

The normal equation forms XᵀX and factorises it, O(n p² + p³). An iteration of gradient descent
costs O(n p), and how many there are depends on the condition number, not on p. So there is a
number of features from which descent is faster. It depends on the data and on the machine: here
n = 3000 samples, and XᵀX has the condition number 10.

Both end at the same accuracy, 1e-6 in the coefficients. (The default,
``preconditioner="auto"``, forms XᵀX itself where that is the faster way; here it must not.)
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import scipy.fft
from threadpoolctl import threadpool_limits

from sklearn_gd import GDLinearRegression
from sklearn_gd.plots.style import BLUE, RED, ink, plain

n_samples, condition = 3000, 10
sizes = [60, 120, 240, 480, 960]


def data(p):
    """Cosine waves, which are orthogonal, with squared lengths from 1 to the condition number."""
    rng = np.random.default_rng(0)
    X = scipy.fft.idct(np.eye(n_samples, p), axis=0, norm="ortho")
    X *= np.sqrt(n_samples * np.geomspace(1, condition, p))
    return X, X @ rng.standard_normal(p) + rng.standard_normal(n_samples)


def normal_equation(X, y):
    return np.linalg.solve(X.T @ X, X.T @ y)


def descent(X, y):
    return (
        GDLinearRegression(preconditioner=None, tol=1e-5, fit_intercept=False).fit(X, y).coef_
    )


def seconds(solve, X, y):
    """The least of several, which has met the fewest disturbances; on one thread."""
    times = []
    while len(times) < 3 or (sum(times) < 0.3 and len(times) < 20):
        with threadpool_limits(1):
            started = time.perf_counter()
            solve(X, y)
            times.append(time.perf_counter() - started)
    return min(times)


# %%

times, errors = {"normal equation": [], "gradient descent": []}, []
for p in sizes:
    X, y = data(p)
    closed, descended = normal_equation(X, y), descent(X, y)
    errors.append(np.linalg.norm(descended - closed) / np.linalg.norm(closed))
    times["normal equation"].append(seconds(normal_equation, X, y))
    times["gradient descent"].append(seconds(descent, X, y))
print("largest relative difference of the coefficients:", f"{max(errors):.1e}")

# %%
# The crossing, on straight lines between the measured points.

closed, descended = (np.log(times[name]) for name in times)
ahead = closed - descended
crossings = np.flatnonzero((ahead[:-1] < 0) & (ahead[1:] >= 0))

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for (name, measured), colour, marker in zip(times.items(), (RED, BLUE), "so", strict=True):
    ax.loglog(sizes, measured, marker, ls="-", color=colour, linewidth=2, markersize=6)
    ax.annotate(
        name,
        (sizes[-1], measured[-1]),
        xytext=(8, 0),
        textcoords="offset points",
        color=ink(colour),
        va="bottom" if measured[-1] == max(times[other][-1] for other in times) else "top",
        annotation_clip=False,
    )
for i in crossings[-1:]:
    part = ahead[i] / (ahead[i] - ahead[i + 1])
    p = np.exp(np.interp(part, [0, 1], np.log(sizes[i : i + 2])))
    t = np.exp(np.interp(part, [0, 1], closed[i : i + 2]))
    ax.plot(p, t, "o", mfc="none", mec="black", ms=16, mew=1.5)
    ax.annotate(
        f"p ≈ {p:.0f}",
        (p, t),
        xytext=(-14, 16),
        textcoords="offset points",
        ha="right",
        fontsize=12,
    )
ax.set(
    xlabel="features p",
    ylabel="seconds",
    xlim=(sizes[0] * 0.85, sizes[-1] * 3),
    title=f"time to the same coefficients, n = {n_samples}, condition number {condition}",
)
ax.set_xticks(sizes, [str(p) for p in sizes])
ax.minorticks_off()
plain(ax)
plt.show()
