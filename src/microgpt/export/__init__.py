"""A run in another form: one file that a person without microgpt can use.

In: a run. Out: a file's content. Each target is a module: `html`, a page that computes.
"""
