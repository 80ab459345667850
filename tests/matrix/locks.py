"""Locks every spec on every release of transformers.

    python tests/matrix/locks.py [RELEASE...]

Writes `specs/*.lock.json`. Exit code 1: a release could not be locked.
"""

from __future__ import annotations

import sys

from environments import PROJECT, RELEASES, overlay, python


def main() -> int:
    specs = [path.relative_to(PROJECT) for path in sorted(PROJECT.glob("specs/*.yaml"))]
    code = 0
    for release in sys.argv[1:] or list(RELEASES):
        before = (overlay(release), PROJECT)
        result = python("-m", "adaptergen", "lock", *specs, before=before)
        print(result.stderr, end="", flush=True)
        code |= result.returncode != 0
    return code


if __name__ == "__main__":
    sys.exit(main())
