"""What an installed package must have, what the README promises, and what is in the distributions.

The distributions themselves are looked at where SKLEARN_GD_DIST names the folder of a source distribution and a wheel, as
`.ci/run` and the workflows do: `python -m build --outdir FOLDER` takes half a minute.
"""

import email
import importlib.metadata
import os
import pathlib
import re
import tarfile
import tomllib
import zipfile

import pytest

import sklearn_gd

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else ""

in_the_tree = pytest.mark.skipif(
    not (ROOT / "setup.py").exists(), reason="needs the source tree, of which these tests are a copy"
)


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
    "method": {"descent", "progress", "steps", "momentum", "preconditioners", "quasi_newton"},
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


@in_the_tree
@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_readme_code_runs(code, capsys):
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


@in_the_tree
def test_readme_installs_extras_that_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert re.search(r"\.\[(\w+)\]", command)[1] in extras


@in_the_tree
def test_changelog_knows_the_version():
    assert re.search(
        rf"^## \[{re.escape(sklearn_gd.__version__)}\] - \d{{4}}-\d\d-\d\d$",
        (ROOT / "CHANGELOG.md").read_text(),
        re.MULTILINE,
    )


# ------------------------------------------------------------------------------------------------ the distributions


def built(pattern):
    if "SKLEARN_GD_DIST" not in os.environ:
        pytest.skip("SKLEARN_GD_DIST names no folder of built distributions; .ci/run builds them")
    (path,) = pathlib.Path(os.environ["SKLEARN_GD_DIST"]).glob(pattern)
    return path


@in_the_tree
def test_the_source_distribution_has_all_that_a_build_and_a_test_need():
    with tarfile.open(built("*.tar.gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    kernels = {path.name for path in (ROOT / "sklearn_gd").glob("_kernels*.[ch]")}
    assert "_kernels.c" in kernels
    assert {f"sklearn_gd/{name}" for name in kernels} <= names
    for folder in ("sklearn_gd", "tests", "benchmarks", "examples", "docs"):
        ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        # what sphinx-build and benchopt make is not
        made = ("docs/_build/", "docs/api/", "docs/gallery/")
        ours = {name for name in ours if not name.startswith(made) and "/__cache__/" not in name}
        assert ours <= names, ours - names
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE", "CHANGELOG.md", "docs/index.rst"} <= names
    # what a build, a test run or the site leaves in the tree
    left = re.compile(
        r"\.so$|\.py[cod]$|__pycache__|__cache__|^docs/(_build|api|gallery)/|^benchmarks/output/|/outputs/"
    )
    assert not [name for name in names if left.search(name)]


def test_the_wheel_is_for_every_python_from_3_11_and_holds_the_package_alone():
    path = built("*.whl")
    assert re.fullmatch(rf"sklearn_gd-{re.escape(sklearn_gd.__version__)}-cp311-abi3-\w+\.whl", path.name)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(about))
    (kernels,) = (name for name in names if "_kernels" in name)
    assert re.fullmatch(r"sklearn_gd/_kernels(\.abi3\.so|\.pyd)", kernels)
    assert not [name for name in names if not name.startswith(("sklearn_gd/", "sklearn_gd-"))]
    assert "sklearn_gd/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Description-Content-Type"] == "text/markdown"
    needed = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert {re.match(r"[\w-]+", line)[0] for line in needed} == {"numpy", "scipy", "scikit-learn"}


@in_the_tree
def test_wheels_are_built_once_by_the_oldest_python_and_tried_on_later_ones():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    oldest = "cp" + config["project"]["requires-python"].removeprefix(">=").replace(".", "")
    first, *later = config["tool"]["cibuildwheel"]["build"].split()
    assert first == f"{oldest}-*"
    assert later
    assert f'"py_limited_api": "{oldest}"' in (ROOT / "setup.py").read_text()


@in_the_tree
def test_the_workflow_builds_for_every_platform_that_is_promised():
    yaml = pytest.importorskip("yaml", reason="the extra bench, by way of benchopt, has it")
    folder = ROOT / ".github" / "workflows"
    if not folder.is_dir():
        pytest.skip("workflows are in the repository, not in the source distribution")
    workflow = yaml.safe_load((folder / "wheels.yml").read_text())
    built_for = {
        (entry["platform"], entry["archs"]) for entry in workflow["jobs"]["wheels"]["strategy"]["matrix"]["include"]
    }
    assert built_for == {
        ("linux", "x86_64"),
        ("linux", "aarch64"),
        ("macos", "x86_64"),
        ("macos", "arm64"),
        ("windows", "AMD64"),
    }
    for path in folder.glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            assert job["timeout-minutes"] <= 90, path  # a job that hangs ends
