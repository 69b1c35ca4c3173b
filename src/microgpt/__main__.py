"""`python -m microgpt` is `microgpt`."""

from microgpt.cli import main

if __name__ == "__main__":
    main()
