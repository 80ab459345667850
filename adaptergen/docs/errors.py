"""The page of every code that a problem can have."""

from __future__ import annotations

from adaptergen.problems import CODES

_INTRO = """\
# Errors

<!-- Made from adaptergen/*error_codes.py by `make docs`: edit it there. -->

Every problem has a location, a code, one sentence and a hint:

```text
specs/nemotron_h.yaml:12:5: error[unknown-key]: `submodule` is not a key of `blocks`
   12 |     submodule: {}
      |     ^^^^^^^^^
      = hint: did you mean `submodules`?
```

One call tells all problems of all its specs and shapes, each once, in the order of files and
lines; of more than 100 it shows the first 100. What only follows from another problem is not told:
a shape that cannot be read is not unknown, and what a missing key would have held is not missed.

This page says for each code what it means, with an example of what mends it. A code keeps its
name: it can be searched for.
"""


def errors_page() -> str:
    """The Markdown of `docs/errors.md`."""
    entries = [
        f"## {code}\n\n**{entry.title}.** {entry.meaning}\n\n{_example(entry.fix)}\n"
        for code, entry in sorted(CODES.items())
    ]
    return "\n".join([_INTRO, *entries])


def _example(mend: str) -> str:
    return f"Example: {mend}" if mend.startswith("`") else f"To mend it: {mend}"
