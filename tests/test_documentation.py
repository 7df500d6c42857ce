"""The site under docs/: what its pages say is true, and what links to them finds them."""

import doctest
import pathlib
import re

import pytest
from sklearn.utils import estimator_html_repr

import sklearn_gd
from sklearn_gd import GDLinearRegression, GDLogisticRegression, momentum, steps

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PAGES = sorted(path for path in DOCS.glob("*.rst") if ">>>" in path.read_text())


def listed():
    """The full names in the autosummary tables of the API reference, each the name of a page."""
    names, module = set(), ""
    for line in (DOCS / "api.rst").read_text().splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.match(r"   (\w+)$", line):
            names.add(f"{module}.{found[1]}")
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_on_a_page_runs_and_prints_what_is_written(page):
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried
    assert not failed


@pytest.mark.parametrize(
    "part",
    [GDLinearRegression(), GDLogisticRegression(), *(rule() for rule in steps.RULES.values()), momentum.HeavyBall()]
    + [look() for look in momentum.MOMENTA.values()],
    ids=lambda part: type(part).__name__,
)
def test_the_html_representation_links_to_a_page_of_the_reference(part):
    links = set(re.findall(r'href="(https://sklearn-gd[^"#]*)', estimator_html_repr(part)))
    assert len(links) == 1
    folder, _, page = links.pop().rpartition("/")
    assert folder.endswith("/api")  # where autosummary's :toctree: puts them
    assert page.removesuffix(".html") in listed()


def test_no_link_for_what_is_written_elsewhere():
    class Mine(GDLinearRegression):
        """Not a part of the package."""

    assert "sklearn-gd.readthedocs" not in estimator_html_repr(Mine())


def test_every_public_name_has_its_page():
    public = {f"sklearn_gd.{name}" for name in sklearn_gd.__all__}
    public |= {f"sklearn_gd.steps.{rule.__name__}" for rule in steps.RULES.values()}
    assert public <= listed()
