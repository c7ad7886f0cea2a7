"""The command line as a module: `python -m pdesurrogate`, `torchrun -m pdesurrogate`."""

from __future__ import annotations

import sys

from pdesurrogate.cli import main

if __name__ == "__main__":
    sys.exit(main())
