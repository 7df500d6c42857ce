"""
Logistic regression, sample by sample
=====================================

The loop of the books goes through the samples one by one: a = σ(w·x + b), dz = a − y, then w ←
w − α·(1/m)Σ x·dz and b ← b − α·(1/m)Σ dz. The estimator does the same with two products of
matrices, and arrives at the same numbers. The picture shows what the loop does: the sigmoid
moves to where the classes meet, and steepens.
"""

import math
import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd import FitDisplay, GDLogisticRegression

X, y = load_iris(return_X_y=True)
x, y = (
    X[50:, [2]] - 4,
    (y[50:] == 2).astype(int),
)  # petals of versicolor and virginica, cm over 4
m, alpha, iterations = len(y), 0.5, 300

w = b = 0.0
for _ in range(iterations):
    dw = db = 0.0
    for i in range(m):
        a = 1 / (1 + math.exp(-(w * x[i, 0] + b)))
        dz = a - y[i]
        dw += x[i, 0] * dz / m
        db += dz / m
    w, b = w - alpha * dw, b - alpha * db

model = GDLogisticRegression(learning_rate=alpha, C=math.inf, max_iter=iterations, tol=0)
with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore", ConvergenceWarning
    )  # 300 iterations are on the way to the optimum, not there
    model.fit(x, y)
print(f"the loop:      w = {w:.12f}, b = {b:.12f}")
print(f"the estimator: w = {model.coef_[0, 0]:.12f}, b = {model.intercept_[0]:.12f}")

# %%

display = FitDisplay.from_estimator(model, x, y)
display.ax_.set(xlabel="length of the petal, cm over 4")
plt.show()
