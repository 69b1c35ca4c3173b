"""Count-based language models: the baselines, and the n-gram model that a GPT is mixed with."""
