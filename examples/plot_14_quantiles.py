"""
Quantiles: a band in place of a line
====================================

Squared error asks for the mean. Where errors are wider at one end than at the other, the mean line says nothing of that.
Weigh an error above the line nine times as much as one below, and the line goes up until a tenth of the samples is left above
it: the 90 % quantile. Several of them are a band that shows where the samples are.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import GDLinearRegression, GDQuantileRegression
from sklearn_gd.plots.style import COLOURS, name_curves, plain

rng = np.random.default_rng(0)
x = rng.uniform(0, 10, size=400)
y = 5 + x + (0.3 + 0.4 * x) * rng.normal(size=400)

quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
bands = GDQuantileRegression(quantile=quantiles).fit(x[:, None], y)
mean = GDLinearRegression().fit(x[:, None], y)
for quantile, share in zip(
    quantiles, (y[:, None] < bands.predict(x[:, None])).mean(axis=0), strict=True
):
    print(f"below the line of the quantile {quantile}: {share:.1%} of the samples")

# %%
# All five were fitted at once. The loss of a quantile has a kink at every sample, where no gradient shrinks; what proves that these are the
# optima is a point of the dual problem, of which no loss can be below by more than ``dual_gap_``, in units of the loss.

print(
    f"gaps: at most {bands.dual_gap_.max():.0e} after {bands.n_iter_} iterations; crossings: {bands.crossings_}"
)

figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
plain(ax)
ax.set(xlabel="x", ylabel="y", xlim=(0, 12.5))
ax.scatter(x, y, color="0.6", s=8)
ends = np.array([0.0, 10.0])
curves = bands.predict(ends[:, None])
colour = COLOURS[0]
for low, high, alpha in ((0, 4, 0.15), (1, 3, 0.25)):
    ax.fill_between(
        ends, curves[:, low], curves[:, high], color=colour, alpha=alpha, linewidth=0
    )
drawn, names = [np.column_stack([x, y])], []
for quantile, curve in zip(quantiles, curves.T, strict=True):
    ax.plot(ends, curve, color=colour, linewidth=2.4 if quantile == 0.5 else 1.2)
    drawn.append(np.column_stack([ends, curve]))
    names.append((ends[1], curve[1], f"{quantile:.0%}", colour))
line = mean.predict(ends[:, None])
ax.plot(ends, line, color=COLOURS[1], linestyle="--", linewidth=2)
drawn.append(np.column_stack([ends, line]))
names.append((ends[1], line[1], "mean", COLOURS[1]))
name_curves(ax, names, drawn)
plt.show()
