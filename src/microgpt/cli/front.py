"""The front page of the command line: what `microgpt --help` prints, without loading a command.

A test holds it to what the parser would say: a command's line is the first of its docstring.
"""

from __future__ import annotations

import sys

from microgpt.cli.terminal.streams import decorated, shows_glyphs

ABOUT = (
    "Train a GPT on your own lines of text in seconds, and see exactly how wrong it is."
    "\n\nBegin with: microgpt train"
)

COMMANDS = {
    "train": "Train a GPT on lines of text and save it as a run.",
    "sample": "Draw new texts from a run.",
    "score": "Show how surprised the model is: of a text at each character, of a file at each "
    "line.",
    "evaluate": "Measure a run's mean loss on documents: where it comes from, and what it is "
    "worth.",
    "report": "Write one HTML file of a run: what its loss is worth, made of, and whether it is "
    "honest.",
    "why": "Explain the loss: what it is, why the logarithm, how positions average.",
    "data": "Report documents, lengths, alphabet, what each block size would window, the first "
    "losses.",
    "plot": "Draw the loss curves of runs, with what blind guessing and counting would cost.",
    "runs": "List the runs, or compare two.",
    "sweep": "Find the settings that learn best, by many short trainings at once; resumable.",
    "bench": "Measure how fast models of several sizes train on this machine.",
    "compress": "Compress a file with a run: the sum of its losses in bits, 8 bytes at most, and "
    "a header.",
    "decompress": "Decompress a file: it comes out as it went in, byte for byte, or not at all.",
}
"""Each is the function of its name in the file of its name."""

FLAGS = {
    "--help": "Display this message and exit.",
    "--install-completion": "Let the shell complete commands and flags with Tab: bash, zsh, fish, "
    "PowerShell.",
    "--version": "Display application version.",
}
"""What can stand in the place of a command."""


def page() -> None:
    """Print the front page."""
    import shutil  # here, because most commands need neither of the two

    from microgpt.cli.terminal.wrapped import wrapped

    flags = ((name.replace("--help", "--help, -h"), text) for name, text in FLAGS.items())
    rows = [f"  {name}: {text}" for name, text in (*COMMANDS.items(), *flags)]
    text = "\n".join(["Usage: microgpt COMMAND", "", ABOUT, "", "Commands:", *rows])
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in wrapped(text, width):
        print(line if shows_glyphs(sys.stdout) else decorated(line))
    print()
