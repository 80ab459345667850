"""What a call came to: it counts, and knows its exit code and its last sentence."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import Enum

from adaptergen.output.compare import Comparison, State
from adaptergen.output.errors import OutputError
from adaptergen.output.staging import Interruption


class Outcome(Enum):
    """How a call ended; `EXIT_CODES` has what it means to a shell."""

    UNCHANGED = "unchanged"
    WRITTEN = "written"
    STALE = "stale"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


EXIT_CODES = {
    Outcome.UNCHANGED: 0,
    Outcome.WRITTEN: 0,
    Outcome.STALE: 1,
    Outcome.REFUSED: 1,
    Outcome.INTERRUPTED: 1,
    Outcome.FAILED: 2,
}


@dataclass(frozen=True)
class Report:
    """The outcome of one call; `recovered` is what an earlier, killed build had left."""

    outcome: Outcome
    comparison: Comparison | None = None
    recovered: Interruption | None = None
    error: OutputError | None = None

    @property
    def exit_code(self) -> int:
        """0 fine; 1 stale, edited by hand or interrupted; 2 the environment failed."""
        return EXIT_CODES[self.outcome]

    def count(self, state: State) -> int:
        """How many files are (or were, before writing) in the state."""
        return len(self.comparison.of(state)) if self.comparison else 0

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each file that is not as wanted: its state and its path below OUT."""
        pending = self.comparison.pending if self.comparison else ()
        first = ["an interrupted build was settled first"] if self.recovered else []
        return (*first, *(f"{entry.state.value}: {entry.path}" for entry in pending))

    @property
    def diff(self) -> str:
        """What a build would do (or did) to the files, as a unified diff."""
        return self.comparison.diff() if self.comparison else ""

    @property
    def refusal(self) -> str:
        """The diff of the files that hold someone's work, if they stopped the build."""
        if self.comparison is None or self.outcome is not Outcome.REFUSED:
            return ""
        return "".join(entry.diff() for entry in self.comparison.guarded)

    @property
    def summary(self) -> str:
        """The last sentence, with the command that mends it."""
        if self.error is not None or self.comparison is None:
            return str(self.error)
        if self.outcome is Outcome.INTERRUPTED and self.comparison.interruption is not None:
            return f"{self.comparison.out}: {self.comparison.interruption.value}."
        if self.outcome is Outcome.REFUSED:
            return (
                f"Edited by hand, so nothing is written ({self._counts()}): move the edit "
                f"into the spec, or overwrite it with `{self._command()} --force`."
            )
        if self.outcome is Outcome.STALE:
            return f"Stale ({self._counts()}): run `{self._command()}`."
        return f"{'Wrote' if self.outcome is Outcome.WRITTEN else 'Fine'}: {self._counts()}."

    def _counts(self) -> str:
        written = self.outcome is Outcome.WRITTEN
        names = {State.EDITED: "edited by hand and overwritten"} if written else {}
        counts = [(self.count(state), names.get(state, state.value)) for state in State]
        return ", ".join(f"{count} {name}" for count, name in counts if count) or "no files"

    def _command(self) -> str:
        assert self.comparison is not None
        specs = [one.spec for one in self.comparison.wanted if not one.shared]
        return shlex.join(["adaptergen", "build", *specs, "--out", str(self.comparison.out)])
