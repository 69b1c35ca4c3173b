"""The one reader of files: bytes into documents, whatever format they are in."""
