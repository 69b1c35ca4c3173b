"""Scores as rows of a table, JSON lines or CSV, made block by block in several processes."""
