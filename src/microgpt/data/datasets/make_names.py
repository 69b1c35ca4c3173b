"""Make `names.txt` from the surname file of the 1990 US census.

In: the source distribution of the package `names` 0.3.0, which carries the census's file. Out:
`names.txt` beside this script, or the path in a second argument. To make it again::

    pip download --no-deps --no-binary names names==0.3.0
    python make_names.py names-0.3.0.tar.gz
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
from pathlib import Path

SHA256 = "726e46254f2ed03f1ffb5d941dae3bc67c35123941c29becd02d48d0caa2a671"
MEMBER = "names-0.3.0/names/dist.all.last"
COUNT = 32_000


def surnames(archive: Path) -> list[str]:
    """Return the most frequent surnames, in the census's order.

    Raises:
        OSError: the archive cannot be read.
        ValueError: it is another file than expected.
    """
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{archive}: must be names-0.3.0.tar.gz (sha256 {SHA256}); got {digest}.")
    with tarfile.open(archive) as tar:
        member = tar.extractfile(MEMBER)
        if member is None:
            raise ValueError(f"{archive}: has no {MEMBER}.")
        # A line holds the name, its share in percent, the shares so far, and its rank.
        rows = [line.split() for line in member.read().decode("ascii").splitlines()]
    return [name.lower() for name, *_ in rows[:COUNT]]


def main() -> int:
    """Write the file; say what is wrong in one line."""
    if len(sys.argv) not in (2, 3):
        print("make_names: expected names-0.3.0.tar.gz and, if wanted, a target.", file=sys.stderr)
        return 2
    target = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).with_name("names.txt")
    try:
        text = "".join(f"{name}\n" for name in surnames(Path(sys.argv[1])))
        target.write_text(text, "ascii", newline="\n")
    except OSError as error:
        print(f"make_names: {error.filename or target}: {error.strerror}.", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"make_names: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
