"""What the README promises, and what an installed package must have."""

import importlib.metadata
import pathlib
import re
import tomllib

import pytest

import sklearn_gd

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_version_is_the_installed_one():
    try:
        installed = importlib.metadata.version("sklearn-gd")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from the source tree, not installed")
    assert installed == sklearn_gd.__version__


def test_public_names_exist():
    for name in sklearn_gd.__all__:
        assert getattr(sklearn_gd, name).__module__.startswith("sklearn_gd")


TOWERS = {
    "method": {"descent", "steps", "momentum", "preconditioners"},
    "problem": {"objectives", "losses", "penalties", "designs"},
}


@pytest.mark.parametrize(("tower", "other"), [("method", "problem"), ("problem", "method")])
def test_neither_tower_imports_the_other(tower, other):
    package = pathlib.Path(sklearn_gd.__file__).parent
    for name in TOWERS[tower]:
        for path in [package / f"{name}.py", *package.glob(f"{name}/*.py")]:
            if not path.exists():
                continue
            imported = re.findall(r"^\s*from \.+(\w+)", path.read_text(), re.MULTILINE)
            assert not TOWERS[other].intersection(imported), path


def test_types_are_shipped():
    assert (pathlib.Path(sklearn_gd.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_readme_code_runs(code, capsys):
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("text", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_point_at_files(text):
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / text).read_text()):
        if not target.startswith("https://"):
            assert (ROOT / target).exists(), target


def test_readme_installs_extras_that_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert re.search(r"\.\[(\w+)\]", command)[1] in extras


def test_changelog_knows_the_version():
    assert re.search(
        rf"^## \[{re.escape(sklearn_gd.__version__)}\] - \d{{4}}-\d\d-\d\d$",
        (ROOT / "CHANGELOG.md").read_text(),
        re.MULTILINE,
    )
