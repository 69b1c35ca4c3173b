"""The docs as a static site, which Sphinx builds.

MkDocs with Material, Zensical, and Sphinx with Furo were tried on these pages. Sphinx was chosen:
its MyST parser reads lists as GitHub does, where the others need more indentation and blank lines;
it refuses links to missing files and headings of every kind, where Zensical passes those to files
that are no pages; its search works from the disk, where Material loads a script of another host for
it; it is maintained, where MkDocs has had no release since 2024 and Material has announced its end.
"""
