"""The one reader of files: it makes documents of bytes, for each format of file."""
