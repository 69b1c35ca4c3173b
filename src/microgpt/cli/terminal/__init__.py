"""Output of commands: streams, colours, tables, progress bars, pictures."""
