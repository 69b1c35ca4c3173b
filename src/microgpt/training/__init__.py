"""A training in memory: what it begins with, its loop, what it keeps. No disk, no printing."""
