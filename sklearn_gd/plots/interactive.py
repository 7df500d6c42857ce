"""Pictures that move with sliders, in a notebook.

Two parts: `Frames`, which redraws only what moves, fast enough to follow a slider; and `sliders`, which puts ipywidgets beside it. Neither
ipywidgets nor matplotlib is imported before it is used.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg

from .. import messages
from ..protocols import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Frames", "Quadratic", "has_widgets", "sliders"]


class Quadratic:
    """Gradient descent on a quadratic, every iterate from the eigenvectors of its Hessian.

    With H = V diag(λ) Vᵀ and g the gradient at the start w₀, iterate k is w₀ − V φ_k(λ) Vᵀ g, where, β being the heavy ball's momentum,

        φ_{k+1} = (1 + β − ηλ) φ_k − β φ_{k−1} + η,    φ_{−1} = φ_0 = 0.

    Parameters
    ----------
    hessian : ndarray of shape (n, n)
    at, gradient : ndarray of shape (n,)
        Any point, and the gradient there.
    """

    def __init__(self, hessian: Array, at: Array, gradient: Array) -> None:
        self.values, self.vectors = scipy.linalg.eigh((hessian + hessian.T) / 2)
        self.at, self.gradient = at, gradient @ self.vectors

    def path(self, start: Array, rate: float, momentum: float, n_iter: int) -> Array:
        """The start and the iterates after it, of shape (n_iter + 1, n)."""
        phi = np.zeros((n_iter + 1, len(self.values)))
        factor, before = 1 + momentum - rate * self.values, phi[0]
        with np.errstate(over="ignore", invalid="ignore"):  # a rate beyond 2/L diverges, and that is to be seen
            for k in range(n_iter):
                phi[k + 1] = factor * phi[k] - momentum * before + rate
                before = phi[k]
            slope = self.values * ((start - self.at) @ self.vectors) + self.gradient
            return np.asarray(start - (phi * slope) @ self.vectors.T)


class Frames:
    """A picture of which one path moves: all else is drawn once, and kept as pixels.

    Parameters
    ----------
    ax : Axes
        With all that stays; its figure belongs to this object from now on.
    """

    def __init__(self, ax: Axes) -> None:
        from matplotlib import pyplot as plt
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        from .style import BLUE, RED

        self.ax, self.figure = ax, ax.figure
        figure: Any = self.figure
        plt.close(figure)  # a notebook would show it a second time, without the sliders
        self.canvas: Any = FigureCanvasAgg(figure)
        told = ax.set_title(" ", loc="left", fontsize=10)  # the layout leaves room for it
        self.canvas.draw()
        figure.set_layout_engine("none")
        self.told = told
        self.ground = self.canvas.copy_from_bbox(figure.bbox)
        marks: dict[str, Any] = {"marker": "o", "markersize": 4, "markeredgecolor": "white", "markeredgewidth": 0.5}
        (self.path,) = ax.plot([], [], color=BLUE, linewidth=1.6, zorder=30, **marks)
        (self.here,) = ax.plot([], [], color=RED, zorder=31, **{**marks, "markersize": 9})

    def png(self, at: Array, told: str) -> bytes:
        """The picture with a path, its last point marked, and a line of text above it.

        Parameters
        ----------
        at : ndarray of shape (n_points, 2)
        told : str

        Returns
        -------
        bytes
            A PNG file.
        """
        from PIL import Image

        self.path.set_data(*at.T)
        self.here.set_data(*at[-1:].T)
        self.told.set_text(told)
        self.canvas.restore_region(self.ground)
        for artist in (self.path, self.here, self.told):
            self.ax.draw_artist(artist)
        out = io.BytesIO()
        # level 1: a quarter faster than the default, for files of nearly the same size
        Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB").save(out, "png", compress_level=1)
        return out.getvalue()


def has_widgets() -> bool:
    """Whether there is ipywidgets; a warning says what to install where not."""
    try:
        import ipywidgets  # noqa: F401 (whether it is there)
    except ImportError:
        warnings.warn(messages.no_widgets(), UserWarning, stacklevel=3)
        return False
    return True


def sliders(draw: Callable[..., bytes], ranges: Mapping[str, tuple[str, float, float, float]]) -> Any:
    """A picture under sliders, redrawn at every move.

    Parameters
    ----------
    draw : callable ``draw(**values) -> bytes``
        A PNG file for the sliders' values.
    ranges : dict of str to (kind, value, low, high)
        Of each slider, by the name that `draw` has for it; its kind is "log", "int" or "float". Those of "log" have exponents of 10.

    Returns
    -------
    ipywidgets.VBox
    """
    import ipywidgets

    kinds = {"log": ipywidgets.FloatLogSlider, "int": ipywidgets.IntSlider, "float": ipywidgets.FloatSlider}
    each = {
        name: kinds[kind](
            value=value,
            min=low,
            max=high,
            step=1 if kind == "int" else (high - low) / 200,
            description=name.replace("_", " "),
            readout_format="d" if kind == "int" else ".3g",
            style={"description_width": "initial"},
        )
        for name, (kind, value, low, high) in ranges.items()
    }
    picture = ipywidgets.Image(format="png")

    def redraw(_: Any = None) -> None:
        picture.value = draw(**{name: slider.value for name, slider in each.items()})

    for slider in each.values():
        slider.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([*each.values(), picture])
