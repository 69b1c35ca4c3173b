"""Runs on the disk: making, writing, finding and reading their folders."""
