"""The front page of the command line: what `microgpt --help` prints, without loading a command.

A test compares it with the parser: a command's line must be the first of its docstring.
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
    "evaluate": "Measure a run's mean loss on documents: its parts, baselines, calibration.",
    "report": "Write a run's evaluation as one HTML file: baselines, parts of the loss, "
    "calibration.",
    "why": "Explain an idea with numbers, such as loss, softmax or attention; on a run and a text.",
    "data": "Report the documents of a data set, their lengths, characters and windows, and first "
    "losses.",
    "plot": "Draw the loss curves of runs, or what a setting does to their losses.",
    "runs": "List runs with their settings and results, compare some, or say how one was made.",
    "doctor": "Say which symptoms of a mistake a run shows, what usually causes them, and what to "
    "try.",
    "suspicious": "Show the rows of a file that look wrong, and what was probably meant; no run is "
    "needed.",
    "sweep": "Find the settings with the lowest loss, by many short trainings at once; resumable.",
    "bench": "Measure how fast models of several sizes train on this machine.",
    "compress": "Compress a file with a run: to its losses in bits, at most 8 bytes more, and a "
    "header.",
    "decompress": "Decompress a file: exactly the original bytes, or an error.",
    "export": "Write a run for others to use: one page with the model inside, or a model for "
    "libraries.",
    "studio": "Open a page in the browser: train while a slider moves, take the loss apart.",
}
"""The commands: each is a function in the module of its name."""

FLAGS = {
    "--help": "Display this message and exit.",
    "--install-completion": "Let the shell complete commands and flags with Tab: bash, zsh, fish, "
    "PowerShell.",
    "--version": "Display application version.",
}
"""The flags that may take the place of a command."""


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
