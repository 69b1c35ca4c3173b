"""Text to a folder of token ids: read once or twice, encoded by several processes, resumable."""
