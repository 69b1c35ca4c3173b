"""A training in memory: its task, its loop, its best state. No disk, no printing."""
