"""The pages below `docs/` that are made from the code, so that they cannot go stale unseen.

`python -m adaptergen.docs` writes them in a checkout; with `--check` it only says what is stale.
"""

from adaptergen.docs.errors import errors_page
from adaptergen.docs.spec import spec_page

__all__ = ["errors_page", "spec_page"]
