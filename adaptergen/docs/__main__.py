"""Writes the generated pages below `docs/`, or says which are stale."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from adaptergen.docs import errors_page, spec_page
from adaptergen.resources import checkout


def main(argv: Sequence[str]) -> int:
    """With `--check` write nothing; 1 if a page is stale."""
    root = checkout()
    if root is None:
        print("The pages belong to a checkout of adaptergen, and this is none.", file=sys.stderr)
        return 2
    pages = {root / "docs" / "errors.md": errors_page(), root / "docs" / "spec.md": spec_page()}
    stale = [path for path, text in pages.items()
             if not path.is_file() or path.read_text(encoding="utf-8") != text]  # fmt: skip
    for path in stale:
        if "--check" not in argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(pages[path], encoding="utf-8", newline="\n")
        print(f"{'stale' if '--check' in argv else 'wrote'}: docs/{path.name}")
    if stale and "--check" in argv:
        print("Stale: run `make docs`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
