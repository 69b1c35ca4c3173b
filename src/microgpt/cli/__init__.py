"""The command line: `microgpt COMMAND`, one file or folder a command."""
