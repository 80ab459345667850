"""From a spec to a branch of TransformerLens.

A checkout is read, never imported. All edits are made in memory (`draft`), through the engine in
`adaptergen.edit`; then they are shown as one diff, or written all or nothing.
"""

from adaptergen.export.checks import Check, run_checks, verified
from adaptergen.export.command import Done, dry_run, run
from adaptergen.export.pull_request import pull_request

__all__ = ["Check", "Done", "dry_run", "pull_request", "run", "run_checks", "verified"]
