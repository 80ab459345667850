"""`python -m adaptergen`: the same as the command `adaptergen`."""

import os
import sys

# `python -m` looks for modules in the working folder before all others, and what lies there is not
# of adaptergen.
try:
    if sys.path[:1] == [os.getcwd()]:
        del sys.path[0]
except OSError:  # it is gone, so nothing lies there
    pass

from adaptergen.cli import script

if __name__ == "__main__":
    script()
