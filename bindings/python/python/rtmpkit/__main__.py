"""`python -m rtmpkit`: the command line."""

import sys

from rtmpkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
