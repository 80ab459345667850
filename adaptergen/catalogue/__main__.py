"""Writes the committed catalogue of the installed TransformerLens anew, hooks observed.

python -m adaptergen.catalogue
"""

from __future__ import annotations

import sys

from adaptergen.catalogue import CatalogueError, dumps, find_installed, path_of
from adaptergen.catalogue.extract import extract
from adaptergen.catalogue.observe import observe


def main() -> int:
    """Returns the exit code."""
    try:
        package = find_installed()
        if package is None:
            raise CatalogueError("No TransformerLens is installed.", "Install transformer-lens.")
        catalogue = observe(extract(package))
    except CatalogueError as error:
        print(error, file=sys.stderr)
        return 2
    file = path_of(catalogue.tl_version)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dumps(catalogue), encoding="utf-8")
    print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
