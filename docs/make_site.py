"""Build the site of the docs: HTML that is served from any folder, or opened from the disk.

python docs/make_site.py --out site
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from website.build import build

from microgpt.errors import MicroGPTError

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("site"), help="folder of the site")
    try:
        sys.exit(build(parser.parse_args().out))
    except (ValueError, MicroGPTError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
