"""Landscapes: several starts over one surface, its basins, arrows and three dimensions."""

import matplotlib
import numpy as np
import pytest

from sklearn_gd import DescentPathDisplay, GDLinearRegression, gradient_descent

matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def valleys(x):
    """Two valleys along x0, apart at the highest point between them."""
    return x[0] ** 4 / 4 - 2 * x[0] ** 2 + 0.8 * x[0] + x[1] ** 2, np.array([x[0] ** 3 - 4 * x[0] + 0.8, 2 * x[1]])


def descend(start):
    return gradient_descent(valleys, start, jac=True, learning_rate=0.05)


# Where the slope is 0, ascending: left minimum, the top between, right minimum.
LEFT, TOP, RIGHT = np.sort(np.roots([1, 0, -4, 0.8]).real)
STARTS = {"left": [-0.5, 2.0], "right": [0.8, 2.0], "right too": [3.0, -1.0]}


@pytest.fixture(scope="module")
def landscape():
    runs = {name: descend(start) for name, start in STARTS.items()}
    return DescentPathDisplay.from_result(valleys, runs, basins=descend, basin_resolution=11, grid_resolution=60)


def test_basins_are_those_of_the_two_valleys(landscape):
    np.testing.assert_allclose(np.sort(landscape.minima[:, 0]), [LEFT, RIGHT], atol=1e-4)
    expected = valleys(landscape.minima.T)[0]
    np.testing.assert_allclose(landscape.minimum_heights, expected, rtol=1e-9)
    starts = np.linspace(landscape.axes[0][0], landscape.axes[0][-1], 11)
    ends = np.where(landscape.basins >= 0, landscape.minima[landscape.basins, 0], np.nan)
    for row in ends:  # steps so short that no run jumps over the top
        near = np.abs(starts - TOP) < 1e-6
        np.testing.assert_allclose(row[~near], np.where(starts < TOP, LEFT, RIGHT)[~near], atol=1e-4)


def test_a_basin_is_where_a_run_ends_and_not_the_valley_it_starts_in():
    def leaping(start):
        return gradient_descent(valleys, start, jac=True, learning_rate=0.15)

    display = DescentPathDisplay.from_result(
        valleys, {"run": leaping([-0.5, 2.0]), "far": [[3.0, 2.0]]}, basins=leaping, basin_resolution=9
    )
    sides = [np.linspace(axis[0], axis[-1], 9) for axis in display.axes]
    for (i, j), k in np.ndenumerate(display.basins):
        end = leaping([sides[0][j], sides[1][i]])
        assert end.success == (k >= 0)
        if end.success:
            np.testing.assert_allclose(display.minima[k], end.x, atol=1e-3)
    right = display.basins[:, sides[0] > TOP]
    assert (display.minima[right[right >= 0], 0] < TOP).any()  # some leap over the top


def test_paths_have_the_colour_of_the_basin_they_end_in(landscape):
    display = landscape.plot()
    colours = dict(zip(STARTS, (line.get_color() for line in display.lines_), strict=True))
    assert colours["right"] == colours["right too"] != colours["left"]
    for name, path in display.paths.items():
        k = int(np.linalg.norm(display.minima - path[-1], axis=1).argmin())
        assert display.minima_[k].get_color() == colours[name]
    told = {text.get_text() for text in display.names_}
    assert told == {*STARTS, *(f"minimum −{-height:.3g}" for height in display.minimum_heights)}
    display.figure_.canvas.draw()


def test_starts_that_end_nowhere_have_no_colour():
    def endless(x):
        return x[0] ** 2 + x[1], np.array([2 * x[0], 1.0])

    def run(start):
        return gradient_descent(endless, start, jac=True, learning_rate=0.1, max_iter=5)

    display = DescentPathDisplay.from_result(
        endless, run([1.0, 1.0]), basins=run, basin_resolution=4, grid_resolution=10
    )
    assert (display.basins == -1).all()
    assert display.minima.shape == (0, 2)
    display.figure_.canvas.draw()


def test_basins_of_a_curve():
    def curve(x):
        return x[0] ** 4 / 4 - 2 * x[0] ** 2 + 0.8 * x[0], np.array([x[0] ** 3 - 4 * x[0] + 0.8])

    def run(start):
        return gradient_descent(curve, start, jac=True, learning_rate=0.05)

    display = DescentPathDisplay.from_result(
        curve, {"a": run([-0.1]), "b": run([1.0])}, basins=run, basin_resolution=15, grid_resolution=50
    )
    assert display.basins.shape == (15,)
    np.testing.assert_allclose(np.sort(display.minima[:, 0]), [LEFT, RIGHT], atol=1e-4)
    (ground,) = display.ax_.images
    assert ground.get_array().shape == (1, 15, 3)
    display.figure_.canvas.draw()


def test_arrows_point_where_the_next_step_goes(landscape):
    arrows = landscape.plot(arrows=True).arrows_
    step = -np.array([valleys(foot)[1] for foot in arrows.XY])
    drawn = np.column_stack([arrows.U, arrows.V])
    cosine = (step * drawn).sum(axis=1) / np.linalg.norm(step, axis=1) / np.linalg.norm(drawn, axis=1)
    assert len(cosine) > 100
    assert np.median(cosine) > 0.9999
    away = np.linalg.norm(step, axis=1) > 0.5  # where the direction does not turn within a space of the grid
    assert cosine[away].min() > 0.99
    assert landscape.plot().arrows_ is None


def test_three_dimensions(landscape):
    display = landscape.plot(projection="3d", arrows=True)
    assert display.ax_.name == "3d"
    for name, line in zip(STARTS, display.lines_, strict=True):
        x, y, z = line.get_data_3d()
        inside = display.paths[name][: len(x)]
        np.testing.assert_array_equal(np.column_stack([x, y]), inside)
        np.testing.assert_allclose(z, valleys(inside.T)[0], atol=0.05)  # on the surface as it is drawn
    low, high = display.ax_.get_zlim()
    assert low == display.surface.min()
    assert high >= max(valleys(np.array(start))[0] for start in STARTS.values())
    display.figure_.canvas.draw()
    animation = display.animate(projection="3d", max_frames=3)
    assert animation.to_jshtml(fps=5).count("data:image/png") == 3
    given = plt.figure().add_subplot(projection="3d")
    assert landscape.plot(given, projection="3d").ax_ is given


def test_a_linear_model_in_three_dimensions():
    x = np.linspace(-1, 3, 30)
    model = GDLinearRegression(learning_rate=0.9, max_iter=20)
    display = DescentPathDisplay.from_estimator(
        {"leaves": model, "stays": GDLinearRegression(learning_rate=0.1)}, x[:, None], 2 * x, projection="3d"
    )
    assert len(display.lines_[0].get_data_3d()[0]) < len(display.paths["leaves"])
    assert display.optimum_ is not None
    display.figure_.canvas.draw()


def test_options_that_do_not_fit_are_refused(landscape):
    with pytest.raises(ValueError, match="projection"):
        landscape.plot(projection="polar")
    with pytest.raises(ValueError, match="axes of that projection"):
        landscape.plot(plt.subplots()[1], projection="3d")
    line = DescentPathDisplay.from_result(lambda x: float(x[0] ** 2), np.array([[1.0], [0.5]]))
    with pytest.raises(ValueError, match="arrows=True"):
        line.plot(arrows=True)
    with pytest.raises(ValueError, match="3d"):
        line.plot(projection="3d")
