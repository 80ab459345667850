"""The difference between the wanted files and the disk, and what a call reports of it.

The difference is computed once for `build`, `build --check` and `build --diff`.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from adaptergen.output import staging
from adaptergen.output.files import OutputError, explained, read_file
from adaptergen.output.tree import MANIFEST, OutputTree, digest, read_manifest


class State(Enum):
    """What a build has to do about one file."""

    NEW = "new"
    CHANGED = "changed"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    EDITED = "edited by hand"
    FOREIGN = "not made by adaptergen"


class Outcome(Enum):
    """How a call ended."""

    UNCHANGED = "unchanged"
    WRITTEN = "written"
    STALE = "stale"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True)
class Entry:
    """One file: `path` below OUT, the bytes on disk and the wanted ones (None: no file)."""

    path: str
    state: State
    old: bytes | None
    new: bytes | None

    def diff(self) -> str:
        """What a build would do to the file, as a unified diff."""
        return unified(self.path, self.old, self.new)


@dataclass(frozen=True)
class Comparison:
    """All files of a call, and whether an earlier build left its work unfinished.

    `newer` are the trees that came of a newer adaptergen, and stay as they are.
    """

    out: Path
    trees: tuple[OutputTree, ...]
    entries: tuple[Entry, ...]
    interruption: staging.Interruption | None
    newer: tuple[OutputTree, ...] = ()

    def of(self, *states: State) -> tuple[Entry, ...]:
        """The entries in any of the states, in the order of the tree."""
        return tuple(entry for entry in self.entries if entry.state in states)

    @property
    def pending(self) -> tuple[Entry, ...]:
        """The entries that differ from what is wanted, in the order of writing."""
        return tuple(entry for entry in self.entries if entry.state is not State.UNCHANGED)

    @property
    def guarded(self) -> tuple[Entry, ...]:
        """The entries that hold someone's work: only `--force` overwrites them."""
        return self.of(State.EDITED, State.FOREIGN)


@dataclass(frozen=True)
class Report:
    """The outcome of one call; `recovered` is what an earlier, killed build had left."""

    outcome: Outcome
    comparison: Comparison | None = None
    recovered: staging.Interruption | None = None
    error: OutputError | None = None

    @property
    def exit_code(self) -> int:
        """0 fine; 1 stale, edited by hand or interrupted; 2 the environment failed."""
        if self.outcome in (Outcome.UNCHANGED, Outcome.WRITTEN):
            return 0
        return 2 if self.outcome is Outcome.FAILED else 1

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each file that is not as wanted: its state and its path below OUT."""
        pending = self.comparison.pending if self.comparison else ()
        first = ["an interrupted build was recovered first"] if self.recovered else []
        newer = self.comparison.newer if self.comparison else ()
        kept = (f"kept: {tree.name}, which a newer adaptergen wrote" for tree in newer)
        return (*first, *kept, *(f"{entry.state.value}: {entry.path}" for entry in pending))

    @property
    def diff(self) -> str:
        """What a build would do (or did) to the files, as a unified diff."""
        return "".join(entry.diff() for entry in self.comparison.pending) if self.comparison else ""

    @property
    def refusal(self) -> str:
        """The diff of the files that hold someone's work, if they stopped the build."""
        if self.comparison is None or self.outcome is not Outcome.REFUSED:
            return ""
        return "".join(entry.diff() for entry in self.comparison.guarded)

    @property
    def summary(self) -> str:
        """The last sentence, with the command that brings the files up to date."""
        if self.error is not None or self.comparison is None:
            return str(self.error)
        if self.outcome is Outcome.INTERRUPTED and self.comparison.interruption is not None:
            return f"{self.comparison.out}: {self.comparison.interruption.value}."
        specs = [tree.spec for tree in self.comparison.trees if tree.version is None]
        command = shlex.join(["adaptergen", "build", *specs, "--out", str(self.comparison.out)])
        written = self.outcome is Outcome.WRITTEN
        names = {State.EDITED: "edited by hand and overwritten"} if written else {}
        # Of what was written, as it was before.
        found = [(len(self.comparison.of(state)), names.get(state, state.value)) for state in State]
        counts = ", ".join(f"{count} {name}" for count, name in found if count) or "no files"
        if self.outcome is Outcome.REFUSED:
            return (
                f"Edited by hand, so nothing is written ({counts}): move the edit "
                f"into the spec, or overwrite it with `{command} --force`."
            )
        if self.outcome is Outcome.STALE:
            return f"Stale ({counts}): run `{command}`."
        return f"{'Wrote' if self.outcome is Outcome.WRITTEN else 'Fine'}: {counts}."


def compare(out: Path, trees: Sequence[OutputTree]) -> Comparison:
    """Compare the disk below `out` with what is wanted; reads only, takes no lock."""
    names = [tree.name.casefold() for tree in trees]
    if len(set(names)) != len(names):
        raise ValueError(f"two specs for one folder: {sorted(names)}")
    with explained(out):
        interruption = staging.look(out)
        newer = tuple(tree for tree in trees if _is_newer(out, tree))
        entries = tuple(
            entry for tree in trees if tree not in newer for entry in _entries(out, tree)
        )
        # A build that began meanwhile makes what was read a mixture.
        interruption = interruption or staging.look(out)
    return Comparison(out, tuple(trees), entries, interruption, newer)


def _is_newer(out: Path, tree: OutputTree) -> bool:
    """Whether the disk has a newer version of a tree that comes with every build."""
    if tree.version is None:
        return False
    place = f"{tree.name}/{MANIFEST}"
    recorded = read_manifest(read_file(out, place), out / place)
    version = recorded.get("version")
    return isinstance(version, int) and version > tree.version


def _entries(out: Path, tree: OutputTree) -> Iterator[Entry]:
    place = f"{tree.name}/{MANIFEST}"
    old = read_file(out, place)
    recorded = read_manifest(old, out / place)
    known = recorded.get("files", {})
    for name in sorted({*tree.files, *known}):
        path = f"{tree.name}/{name}"
        yield from _entry(path, read_file(out, path), tree.files.get(name), known.get(name))
    # A build leaves no manifest that cannot be read. It comes after the files that it lists.
    own = digest(old) if old and recorded else ""
    yield from _entry(place, old, tree.manifest(), own)


def _entry(
    path: str, old: bytes | None, new: bytes | None, recorded: str | None
) -> Iterator[Entry]:
    if old == new:
        if new is not None:
            yield Entry(path, State.UNCHANGED, old, new)
    elif old is None:
        yield Entry(path, State.NEW, old, new)
    elif recorded is None:
        yield Entry(path, State.FOREIGN, old, new)
    elif digest(old) != recorded:
        yield Entry(path, State.EDITED, old, new)
    else:
        yield Entry(path, State.REMOVED if new is None else State.CHANGED, old, new)


def unified(path: str, old: bytes | None, new: bytes | None) -> str:
    """The diff from `old` to `new` (None: no file), with `a/` and `b/` names as git has them."""
    before = "/dev/null" if old is None else f"a/{path}"
    after = "/dev/null" if new is None else f"b/{path}"
    try:
        texts = [(data or b"").decode() for data in (old, new)]
    except UnicodeDecodeError:
        return f"Binary files {before} and {after} differ\n"
    # Only \n ends a line for `patch`; `splitlines` would also cut at form feeds and the like.
    was, becomes = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in texts)
    diff = list(difflib.unified_diff(was, becomes, before, after))
    if not diff and before != after:
        # An empty file that comes or goes has no lines to show.
        diff = [f"--- {before}\n", f"+++ {after}\n"]
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff
    )
