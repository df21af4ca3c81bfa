"""Sphinx settings; CONTRIBUTING.md says how the site is built."""

import os
import re
import sys
from pathlib import Path

import nengo_tactile

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "nengo-tactile"
author = "the nengo-tactile authors"
version = release = nengo_tactile.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "nengo-tactile"
html_theme_options = {"top_of_page_buttons": []}
html_static_path = ["_static"]
html_css_files = ["site.css"]
# pages that are whole as they are: links to them lead there and download nothing
html_extra_path = ["draw"]

# headings get anchors, as on the pages where the files are read directly
myst_heading_anchors = 3
myst_links_external_new_tab = False

#: Where files beside the docs are read on the site; a placeholder until the project is published.
REPOSITORY = "https://github.com/OWNER/nengo-tactile/blob/main"

# notebooks are stored without outputs; with this variable set they run, and the site shows theirs
nb_execution_mode = "force" if os.environ.get("NENGO_TACTILE_NOTEBOOKS") else "off"
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_mock_imports = ["anyio", "starlette", "uvicorn", "websockets"]  # of the extra play
autodoc_inherit_docstrings = False  # texts of Keras, which differ from version to version
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
napoleon_google_docstring = False
# types are words here ("(n_samples, 3) array"), not names to link
napoleon_use_param = False
napoleon_use_ivar = True
napoleon_use_rtype = False
# names in docstrings are words, which several rooms have
suppress_warnings = ["ref.python"]
# types of other libraries are not on this site, nor are type variables
nitpick_ignore_regex = [("py:.*", r"(?!nengo_tactile).*"), ("py:class", r".*\.([A-Z]|Kind)")]
default_role = "code"  # single backquotes in docstrings mark code


def setup(app):
    """Write the pages of the API, and let links out of the docs lead to the repository."""
    from api_pages import write_pages

    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "api"))
    app.connect("source-read", link_to_repository)
    app.connect("source-read", link_to_whole_pages)
    app.connect("autodoc-process-docstring", number_references)


def link_to_repository(app, name, source):
    """Links to files beside docs/ (``../benchmarks/README.md``), in pages and notebooks."""
    up = "../" * (name.count("/") + 1)
    source[0] = source[0].replace(f"]({up}", f"]({REPOSITORY}/")


def link_to_whole_pages(app, name, source):
    """Links to pages of ``html_extra_path``, which lie at the site's root."""
    link = re.compile(r"\[([^\]]*)\]\(draw/([\w.]+)\)")
    source[0] = link.sub(r'<a href="\2">\1</a>', source[0])


def number_references(app, kind, name, thing, options, lines):
    """References of docstrings as fields: footnotes of one page share their numbers."""
    for index, line in enumerate(lines):
        line = re.sub(r"^( *)\.\. \[(\d+)\] ", r"\1:[\2]: ", line)
        lines[index] = re.sub(r"\[(\d+)\]_", r"[\1]", line)
