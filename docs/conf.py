"""How are the pages built?  The tables of the reference come from the code (see _ext)."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

project = "pytest-taskleak"
author = "pytest-taskleak contributors"
project_copyright = "2026, " + author
release = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]["version"]

extensions = ["myst_parser", "taskleak_tables"]
exclude_patterns = ["_build", "_generated", "news"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = project
nitpicky = True
