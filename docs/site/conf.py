"""Sphinx's settings of the site. `build_site.py` beside this file calls it on the staged pages."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

project = "experiments"
extensions = ["myst_nb", "mathml"]
root_doc = "index"
highlight_language = "none"

nb_execution_mode = "off"
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath", "amsmath"]
html_math_renderer = "mathml"

html_theme = "furo"
html_title = "experiments"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["theme.js"]
html_favicon = "static/icon.svg"
html_copy_source = False
html_show_copyright = False
