"""Gradient descent with each rule for its learning rate, on columns as if standardised."""

from benchmark_utils import Huber

from sklearn_gd.steps import RULES


class Solver(Huber):
    """Every registered rule that looks at the data, and 1/L with Nesterov's momentum; schedules need a rate of the user's."""

    name = "GD-rule"
    parameters = {
        "rule, momentum": [
            *((name, "auto") for name, rule in RULES.items() if not rule.scheduled and name != "auto"),
            ("lipschitz", "nesterov"),
        ]
    }
    requirements = ["pip::sklearn-gd"]

    def get_next(self, previous):
        # The scale is renewed when the loss at the last one is minimised: on the level stretch before, smaller strides would look
        # stuck. And a silver schedule is good after 2ᵏ − 1 steps.
        return 2 * previous + 1

    def fit(self, n_iter):
        return self.descended(learning_rate=self.rule, momentum=self.momentum, tol=0.0, max_iter=n_iter)
