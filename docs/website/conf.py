"""What Sphinx is told of the site."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

project = "microgpt"
extensions = ["myst_parser"]
highlight_language = "none"  # of blocks that do not say theirs
root_doc = "index"
language = "en"
smartquotes = False  # the text is shown as it is written: -- begins an option

# Headings are linked to by the names that GitHub gives them.
myst_heading_anchors = 6
myst_enable_extensions = ["linkify", "strikethrough"]
nitpicky = True  # every link without a target is a fault
# A heading may be two levels below the last, and ~~this~~ is for HTML alone, as is the site.
suppress_warnings = ["myst.header", "myst.strikethrough"]

html_theme = "furo"
html_title = "microgpt"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
html_theme_options = {"navigation_with_keys": False}


def setup(app: Sphinx) -> None:
    """Change what the theme has made of a page."""
    app.connect("html-page-context", levelled, priority=900)


def levelled(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Say of the navigation's headings which level they have: a screen reader needs it."""
    tree, heading = str(context.get("furo_navigation_tree", "")), 'role="heading"'
    context["furo_navigation_tree"] = tree.replace(heading, f'{heading} aria-level="2"')
