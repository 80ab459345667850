"""`python -m adaptergen`: the same as the command `adaptergen`."""

from adaptergen.cli import script

if __name__ == "__main__":
    script()
