"""Scores of many texts as rows of a table, JSON lines or CSV, written in several processes."""
