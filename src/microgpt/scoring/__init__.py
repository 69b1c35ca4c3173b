"""Scoring: the losses of texts, character by character, and whether they are unusual."""
