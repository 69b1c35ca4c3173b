"""The studio: a page in the browser, served on this machine alone, that trains and looks at runs.

In: a port. Out: a server. `guard` lets the browser of this user in and nobody else, `app` joins the
routes, one module a view answers them, `library` finds runs by name.
"""
