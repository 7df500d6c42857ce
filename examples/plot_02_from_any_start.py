"""
From any start the same line
============================

A hundred points of y = 4 + 3x + noise, and the loop of the books, θ ← θ − η·(1/m)·Xᵀ(Xθ − y),
from a random start. The loss is convex: whatever the start, the end is the normal equation's
solution (XᵀX)⁻¹Xᵀy.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import FitDisplay, GDLinearRegression

rng = np.random.default_rng(42)
x = 2 * rng.random((100, 1))
y = 4 + 3 * x[:, 0] + rng.standard_normal(100)

X = np.c_[np.ones(100), x]
solution = np.linalg.inv(X.T @ X) @ X.T @ y

ends = []
for seed in range(4):
    intercept, slope = np.random.default_rng(seed).normal(scale=5, size=2)
    model = GDLinearRegression(learning_rate=0.1, max_iter=5000, init=([slope], intercept)).fit(
        x, y
    )
    ends.append([model.intercept_, model.coef_[0]])
print("normal equation: ", solution.round(4))
print("from four starts:", *np.round(ends, 4))

# %%
# The last of these descents, as the line that it fits.

FitDisplay.from_estimator(model, x, y)
plt.show()
