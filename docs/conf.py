"""How Sphinx builds these pages: ``python3 dev.py docs``."""

import logging
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

project = "broker"
author = "the broker developers"
project_copyright = "the broker developers"

# pydoctor reads intersphinx's settings. Nothing is mapped: the build needs no network.
extensions = ["myst_parser", "sphinx.ext.intersphinx", "pydoctor.sphinx_ext.build_apidocs"]
intersphinx_mapping: dict[str, tuple[str, None]] = {}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "news/fragments"]

html_theme = "furo"
html_title = "broker"

# The API pages are written over the placeholder api/index.
pydoctor_args = [
    "--project-name=broker",
    "--docformat=restructuredtext",
    "--theme=readthedocs",
    f"--project-base-dir={ROOT}",
    "--privacy=PRIVATE:broker.**.test_*",
    "--html-output={outdir}/api",
    str(ROOT / "broker"),
]
pydoctor_url_path = "/api"


def is_worth_telling(record: logging.LogRecord) -> bool:
    """Say whether a warning is about a mistake.

    Single backticks mark names of all kinds, Twisted's and Python's too; those that pydoctor does not know remain code.
    It does not see that a dataclass has parameters, nor that what extends an interface of Twisted's is one. A folder
    may have no pages yet.
    """
    text = record.getMessage()
    harmless = (
        "Cannot find link target",
        "ambiguous ref to",
        "Documented parameter",
        "is not an interface",
        "didn't match any documents",
    )
    return not any(part in text for part in harmless)


for name in ("pydoctor.sphinx_ext.build_apidocs", "sphinx.directives.other"):
    logging.getLogger(f"sphinx.{name}").addFilter(is_worth_telling)
