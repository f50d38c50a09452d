"""How the site of the course is made from notebooks/: `make site`, then open build/site/index.html.

Sphinx with MyST-NB and the book theme, all from the package index, so that it builds and reads
without a network: formulas become MathML, and no script or font is fetched from elsewhere.
"""

from __future__ import annotations

import shutil
import sys
from operator import methodcaller
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import vdjax

project = "vdjax"
author = "the vdjax contributors"
copyright = author
version = release = vdjax.__version__

extensions = ["myst_nb"]
root_doc = "README"
exclude_patterns = ["src"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
myst_heading_slug_func = methodcaller("replace", " ", "-")  # as JupyterLab makes anchors
nb_execution_mode = "off"  # the committed outputs are shown; tests run the notebooks
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # no widget lives without a kernel
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "sphinx_book_theme"
html_title = "vdjax: from a sentence to a film"
html_theme_options = {
    "repository_url": "https://github.com/vdjax/vdjax",
    "use_repository_button": True,
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "navbar_persistent": [],  # the search stands in the sidebar already
}
html_math_renderer = "mathml"

CONTENTS = """
```{toctree}
:hidden:
:glob:
:caption: The course

[0-9]*
glossary
notation
```

```{toctree}
:hidden:
:glob:
:caption: Solutions

solutions/*
```

```{toctree}
:hidden:
:glob:
:caption: For teachers

teacher/*
```

```{toctree}
:hidden:
:glob:
:caption: Code only

bare/*
```
"""


def with_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """The README is the first page, and the contents of the whole."""
    if name == root_doc:
        source[0] += CONTENTS


def formula(self: HTML5Translator, node: nodes.math) -> None:
    """A formula in a line, as MathML: browsers and screen readers know it."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def displayed_formula(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula in a line of its own."""
    code = convert(node.astext(), display="block")
    self.body.append(f'<div style="margin: 1em 0; overflow-x: auto">{code}</div>')
    raise nodes.SkipNode


def also_index(app: Sphinx, error: Exception | None) -> None:
    """Servers look for index.html."""
    if error is None:
        shutil.copy(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    app.connect("source-read", with_contents)
    app.connect("build-finished", also_index)
    app.add_html_math_renderer("mathml", (formula, None), (displayed_formula, None))
