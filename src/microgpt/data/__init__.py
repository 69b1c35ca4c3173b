"""Text into batches: files, documents, token ids, and which of them a step sees."""
