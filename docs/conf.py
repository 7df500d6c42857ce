"""Sphinx's configuration: `sphinx-build -W --keep-going -b html docs docs/_build/html`. It needs no network."""

import os
import re
import sys
from pathlib import Path

import latex2mathml.converter
from docutils import nodes

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the package need not be installed
os.environ["PYTHONPATH"] = str(ROOT)

import sklearn_gd  # noqa: E402  # found by the line above
from sklearn_gd._compat import DOCUMENTATION  # noqa: E402

project = "sklearn_gd"
author = "The sklearn_gd developers"
project_copyright = author
version = release = sklearn_gd.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "parts"]  # parts are included by pages
templates_path = ["_templates"]
default_role = "autolink"  # `name` in a docstring is a link where there is such a page, and code where there is none
nitpicky = False  # scikit-learn's names have no pages here; no inventory is downloaded for them

myst_enable_extensions = ["tasklist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say it, in words
numpydoc_show_class_members = False  # the template lists them
numpydoc_class_members_toctree = False

# ----------------------------------------------------------------------------------------------------- the gallery

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("sklearn_gd",),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "min_reported_time": 1e9,  # seconds on whatever machine built the site tell the reader nothing
    "write_computation_times": False,
    "plot_gallery": True,
    "matplotlib_animations": True,
    "image_srcset": ["2x"],
    "thumbnail_size": (640, 450),
    "show_signature": False,
}

# ----------------------------------------------------------------------------------------- the pictures of lessons

# Drawn by the code above them, which the tests run, too. Their figures are 5 inches wide, so that at a phone's width their text is as
# large as the page's; the dots per inch are for sharp screens.
plot_formats = [("png", 200)]
plot_html_show_formats = False
plot_html_show_source_link = False

# ------------------------------------------------------------------------------------------------------- the pages

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_gd"
html_baseurl = DOCUMENTATION
html_static_path = ["_static"]
html_css_files = ["sklearn_gd.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {
    "index": [],
    "quick_start": [],
    "choose": [],
    "mathematics": [],
    "extend": [],
    "inside": [],
    "more": [],
    "releases": [],
    "searching": [],
    "guide/*": [],
}
html_theme_options = {
    "header_links_before_dropdown": 9,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}

# ---------------------------------------------------------------------------------------------------- the formulas

# MathML, which browsers draw by themselves: a page read offline shows formulas, which MathJax from a network would not.
html_math_renderer = "mathml"


def inline_mathml(translator, node):
    translator.body.append(latex2mathml.converter.convert(node.astext()))
    raise nodes.SkipNode


def block_mathml(translator, node):
    translator.body.append(latex2mathml.converter.convert(node.astext(), display="block"))
    raise nodes.SkipNode


# ------------------------------------------------------------------------------------------------- the docstrings


def keep_initials(app, what, name, obj, options, lines):
    """An author's initial at the start of a line is not the first item of a list: A., B., ..."""
    lines[:] = [re.sub(r"^(\s*)([A-Z]\. )", r"\1\\\2", line) for line in lines]


# What scikit-learn's own docstrings refer to.
LABELS = {
    "accuracy_score": "https://scikit-learn.org/stable/modules/model_evaluation.html#accuracy-score",
    "metadata_routing": "https://scikit-learn.org/stable/metadata_routing.html",
    "r2_score": "https://scikit-learn.org/stable/modules/model_evaluation.html#r2-score",
}


def link_to_scikit_learn(app, env, node, text):
    kind, target = node.get("reftype"), node.get("reftarget")
    if kind == "term":
        link = f"https://scikit-learn.org/stable/glossary.html#term-{target}"
    elif kind == "ref" and target in LABELS:
        link = LABELS[target]
    else:
        return None
    return nodes.reference("", "", text, refuri=link)


def setup(app):
    app.connect("autodoc-process-docstring", keep_initials)
    app.connect("missing-reference", link_to_scikit_learn)
    app.add_html_math_renderer("mathml", (inline_mathml, None), (block_mathml, None))
