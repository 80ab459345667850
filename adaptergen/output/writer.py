"""What becomes of a comparison: recorded (`--check`, `--diff`) or written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from adaptergen.output import staging, transaction
from adaptergen.output.compare import Comparison, compare
from adaptergen.output.errors import explained
from adaptergen.output.lock import locked
from adaptergen.output.report import Outcome, Report


class Writer(Protocol):
    """Takes a comparison and says what came of it."""

    def take(self, comparison: Comparison) -> Report:
        """Deal with all files of the comparison at once."""


@dataclass(frozen=True)
class Recorder:
    """Changes nothing; says what a build would find."""

    force: bool = False

    def take(self, comparison: Comparison) -> Report:
        if comparison.interruption is not None:
            return Report(Outcome.INTERRUPTED, comparison)
        if comparison.guarded and not self.force:
            return Report(Outcome.REFUSED, comparison)
        return Report(Outcome.STALE if comparison.pending else Outcome.UNCHANGED, comparison)


@dataclass(frozen=True)
class TreeWriter:
    """Brings the tree to the wanted state, all or nothing."""

    force: bool = False

    def take(self, comparison: Comparison) -> Report:
        seen = Recorder(self.force).take(comparison)
        if seen.outcome is Outcome.UNCHANGED:
            # No lock, no staging. A refusal is looked at again under the lock: what seems to be
            # an edit may be another build at work.
            return seen
        out = comparison.out
        with explained(out), locked(out / staging.FOLDER / staging.LOCK):
            found = transaction.settle(out)
            # Another build may have written between the first look and the lock.
            fresh = compare(out, comparison.wanted)
            if fresh.guarded and not self.force:
                return Report(Outcome.REFUSED, fresh, found)
            if not fresh.pending:
                return Report(Outcome.UNCHANGED, fresh, found)
            transaction.write(out, fresh.pending)
            return Report(Outcome.WRITTEN, fresh, found)
