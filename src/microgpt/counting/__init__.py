"""Models that only count: baselines to compare with, and the counts a GPT is mixed with."""
