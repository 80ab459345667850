"""`python -m adaptergen`: the same as the command `adaptergen`."""

import sys

from adaptergen.cli import main

if __name__ == "__main__":
    sys.exit(main())
