"""Sphinx settings: ``sphinx-build -W -b html docs docs/_build``."""

import nengo_tactile

project = "nengo-tactile"
author = "the nengo-tactile authors"
version = release = nengo_tactile.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "From touch to spikes",
    "page_width": "1100px",
    "sidebar_width": "240px",
}

# headings get anchors, as on the pages where the files are read directly
myst_heading_anchors = 3
myst_links_external_new_tab = False

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings name types, with shapes and units
napoleon_google_docstring = False
# types are words here ("(n_samples, 3) array"), not names to link
napoleon_use_param = False
napoleon_use_ivar = True
napoleon_use_rtype = False
# a module's references may be cited in its comments alone; names in docstrings are words, which
# several rooms have
suppress_warnings = ["ref.footnote", "ref.python"]
default_role = "code"  # single backquotes in docstrings mark code
