"""The last step of a build: wanted files -> compared with the tree -> recorded or written.

`build` is the one entry for `build`, `build --check` and `build --diff`. The difference between
what is wanted and what lies on disk is computed once (`compare`); a writer then either records it
or writes it. `put` writes single files that others made, all or nothing. Every user-facing failure
is an `OutputError`, which `build` turns into a `Report`.
"""

from adaptergen.output.compare import Comparison, Entry, State, compare
from adaptergen.output.errors import OutputError
from adaptergen.output.publish import PACKAGE, build, put, recorded
from adaptergen.output.report import Outcome, Report
from adaptergen.output.staging import Interruption
from adaptergen.output.staging import look as interrupted
from adaptergen.output.transaction import recover
from adaptergen.output.tree import read as read_file
from adaptergen.output.wanted import OutputTree

__all__ = [
    "PACKAGE",
    "Comparison",
    "Entry",
    "Interruption",
    "Outcome",
    "OutputError",
    "OutputTree",
    "Report",
    "State",
    "build",
    "compare",
    "interrupted",
    "put",
    "read_file",
    "recorded",
    "recover",
]
