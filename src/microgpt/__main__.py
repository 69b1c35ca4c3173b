"""`microgpt`, and `python -m microgpt`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C exits without a traceback even during the imports."""
    try:
        from microgpt.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
