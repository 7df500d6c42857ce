"""What differs between the supported versions of scikit-learn, and names of its own with an underscore, at one place.

scikit-learn 1.9 brought callbacks. The documented entry of its mixin for an estimator's author,
``_init_callback_context``, and the two attributes that tell whether there is anybody to call, have an underscore in their
names; they are used here and nowhere else. On older versions there is nothing to call.

The attributes from which scikit-learn makes the link in an object's HTML representation have an underscore, too.
"""

from __future__ import annotations

import functools
from typing import Any

__all__ = ["DOCUMENTATION", "CallbackSupportMixin", "Documented", "callback_root", "with_callbacks"]

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as managed
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef, unused-ignore]
        """Nothing: this scikit-learn has no callbacks."""

    def managed(method: Any) -> Any:
        return method


def has_callbacks(estimator: Any) -> bool:
    return hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")


def with_callbacks(fit: Any) -> Any:
    """scikit-learn's decorator, which tears callbacks down, for a fit that has some: without them it pays nothing."""
    told = managed(fit)

    @functools.wraps(fit)
    def either(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        return (told if has_callbacks(estimator) else fit)(estimator, *args, **kwargs)

    return either


def callback_root(estimator: Any, max_subtasks: int) -> Any:
    """The root context of a fit, or None where no callback is set."""
    return estimator._init_callback_context(max_subtasks=max_subtasks) if has_callbacks(estimator) else None


#: Where the documentation is on the web, with a slash at the end. Empty until it is published: this is what to change then.
DOCUMENTATION = ""


class Documented:
    """Links the HTML representation to the page of the API reference, named as autosummary names it."""

    # scikit-learn links the objects of this module and no others: of none, as long as there are no pages to link to.
    _doc_link_module = "sklearn_gd" if DOCUMENTATION else ""
    _doc_link_template = DOCUMENTATION + "api/{estimator_module}.{estimator_name}.html"
