"""Runs on the disk: their folders, what stands in them, and how they are made and read."""
