"""The site under docs/: what its pages say is true, and what links to them finds them."""

import doctest
import pathlib
import re

import matplotlib
import matplotlib.pyplot
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import estimator_html_repr

import sklearn_gd
from sklearn_gd import GDLinearRegression, GDLogisticRegression, _compat, exceptions, momentum, steps

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
if not DOCS.is_dir():
    pytest.skip(
        "docs/ is in the repository and the source distribution, not beside these tests", allow_module_level=True
    )

PAGES = sorted(path for path in [*DOCS.glob("*.rst"), *DOCS.glob("lessons/*.rst")] if ">>>" in path.read_text())


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
    matplotlib.use("Agg")
    failed, tried = doctest.testfile(str(page), module_relative=False)
    matplotlib.pyplot.close("all")
    assert tried
    assert not failed


PARTS = [GDLinearRegression(), GDLogisticRegression(), *(rule() for rule in steps.RULES.values()), momentum.HeavyBall()]
PARTS += [look() for look in momentum.MOMENTA.values()]


def links_of(part):
    """Where the HTML representation leads, without the place on the page."""
    return set(re.findall(r'href="([^"#]*)', estimator_html_repr(part)))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_the_html_representation_leads_nowhere_that_does_not_exist(part):
    links = links_of(part)
    if _compat.DOCUMENTATION:
        assert all(link.startswith(_compat.DOCUMENTATION) for link in links)
    else:
        assert not links


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_the_html_representation_would_lead_to_a_page_of_the_reference(part, monkeypatch):
    # as it is once `DOCUMENTATION` says where; until then the link is relative
    monkeypatch.setattr(_compat.Documented, "_doc_link_module", "sklearn_gd")
    (link,) = links_of(part)
    folder, _, page = link.removeprefix(_compat.DOCUMENTATION).rpartition("/")
    assert folder == "api"  # where autosummary's :toctree: puts them
    assert page.removesuffix(".html") in listed()


def test_no_link_for_what_is_written_elsewhere(monkeypatch):
    monkeypatch.setattr(_compat.Documented, "_doc_link_module", "sklearn_gd")

    class Mine(GDLinearRegression):
        """Not a part of the package."""

    assert not links_of(Mine())


# ------------------------------------------------------------------------------------------------ links between files

TEXTS = sorted(path for place in (".", "benchmarks", "docs", "docs/guide") for path in (ROOT / place).glob("*.md"))

#: Made by sphinx-gallery of examples/ when the site is built.
MADE = {"gallery/index": ROOT / "examples" / "GALLERY_HEADER.rst"}


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_point_at_files(text):
    # {include} shows another folder's file as it is
    targets = re.findall(r"\]\(([^)\s]+)\)", text.read_text()) + re.findall(r"\{include\} (\S+)", text.read_text())
    for target in targets:
        if not target.startswith(("https://", "#")):
            assert (text.parent / target.partition("#")[0]).exists(), target


#: Without the pages that autosummary and sphinx-gallery write.
PAGES_AND_PARTS = sorted(path for folder in (".", "parts", "lessons") for path in (DOCS / folder).glob("*.rst"))


@pytest.mark.parametrize("page", PAGES_AND_PARTS, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_pages_point_at_pages(page):
    text = page.read_text()
    for target in re.findall(r":doc:`(?:[^<`]*<)?([^<>`]+)>?`", text):
        place = page.parent / target
        assert (
            target.removeprefix("../") in MADE
            or place.with_suffix(".rst").exists()
            or place.with_suffix(".md").exists()
        ), target
    for target in re.findall(
        r"^\s*(?:\.\. (?:include|literalinclude|image|figure)::|:file:) (\S+)", text, re.MULTILINE
    ):
        assert (page.parent / target).exists(), target
    assert all(path.exists() for path in MADE.values())


def test_nothing_links_to_a_site_of_ours_that_does_not_exist():
    texts = [*TEXTS, *PAGES_AND_PARTS, *(ROOT / "examples").glob("*.py"), ROOT / "pyproject.toml"]
    texts += pathlib.Path(sklearn_gd.__file__).parent.rglob("*.py")
    for path in texts:
        for link in re.findall(r"https?://[^\s)>\"'`]*sklearn[-_]gd[^\s)>\"'`]*", path.read_text()):
            assert _compat.DOCUMENTATION, (path, link)
            assert link.startswith(_compat.DOCUMENTATION), (path, link)


def test_the_quick_start_says_what_installs_today():
    for text in ((DOCS / "quick_start.rst").read_text(), (ROOT / "README.md").read_text()):
        assert "pip install ." in text
        # what needs an index stands only where it is said to need one
        said = re.search(r"[Oo]nce it is(?: published)?,\s+`+pip\s+install\s+sklearn-gd`+", text)
        assert said
        assert text.index("pip install sklearn-gd") >= said.start()
        assert "not on PyPI yet" in text[: said.start()]


def test_every_warning_of_ours_is_public_and_says_what_to_do():
    table = (DOCS / "choose.rst").read_text().partition(".. _warnings:")[2]
    ours = [name for name in exceptions.__all__ if issubclass(getattr(exceptions, name), ConvergenceWarning)]
    assert ours
    for name in ours:
        assert name in sklearn_gd.__all__
        assert f"* - `{name} <sklearn_gd.{name}>`" in table


def test_every_public_name_has_its_page():
    public = {f"sklearn_gd.{name}" for name in sklearn_gd.__all__}
    public |= {f"sklearn_gd.steps.{rule.__name__}" for rule in steps.RULES.values()}
    assert public <= listed()
