"""What Sphinx is told of the site."""

project = "microgpt"
extensions = ["myst_parser"]
root_doc = "index"
language = "en"
smartquotes = False  # the text is shown as it is written: -- begins an option

# Headings are linked to by the names that GitHub gives them.
myst_heading_anchors = 6
myst_enable_extensions = ["linkify", "strikethrough"]
nitpicky = True  # every link without a target is a fault

html_theme = "furo"
html_title = "microgpt"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["summary.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
html_theme_options = {"navigation_with_keys": False}
