"""Gradient descent with each rule for its learning rate, on columns as if standardised."""

from benchmark_utils import Poisson

from sklearn_gd.steps import RULES


class Solver(Poisson):
    """Every registered rule that looks at the data, and 1/L with Nesterov's momentum; schedules need a rate of the user's."""

    name = "GD-rule"
    parameters = {
        "rule, momentum": [
            *((name, "auto") for name, rule in RULES.items() if not rule.scheduled and name != "auto"),
            ("lipschitz", "nesterov"),
        ]
    }
    requirements = ["pip::sklearn-gd"]

    def reason(self):
        # its long steps overshoot where the curvature here is not that there
        return "no bound of the curvature exists" if self.rule == "silver" else ""

    def fit(self, n_iter):
        return self.descended(learning_rate=self.rule, momentum=self.momentum, tol=0.0, max_iter=n_iter)
