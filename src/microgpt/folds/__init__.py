"""Texts scored by models that did not learn from them: cross-validation, by a hash of each text."""
