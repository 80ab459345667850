"""The difference between the wanted files and the tree, computed once for every command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from adaptergen.output import manifest, staging, tree
from adaptergen.output.difftext import unified
from adaptergen.output.errors import explained
from adaptergen.output.wanted import MANIFEST, OutputTree, check_names


class State(Enum):
    """What a build has to do about one file."""

    NEW = "new"
    CHANGED = "changed"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    EDITED = "edited by hand"
    FOREIGN = "not made by adaptergen"


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
    """All files of a call, and whether an earlier build left its work unfinished."""

    out: Path
    wanted: tuple[OutputTree, ...]
    entries: tuple[Entry, ...]
    interruption: staging.Interruption | None

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

    def diff(self) -> str:
        """Everything a build would do, as one unified diff."""
        return "".join(entry.diff() for entry in self.pending)


def compare(out: Path, wanted: Sequence[OutputTree]) -> Comparison:
    """Compare the tree below `out` with what is wanted; reads only, takes no lock."""
    check_names(wanted)
    with explained(out):
        interruption = staging.look(out)
        entries = tuple(entry for one in wanted for entry in _folder(out, one))
        # A build that began meanwhile makes what was read a mixture.
        interruption = interruption or staging.look(out)
    return Comparison(out, tuple(wanted), entries, interruption)


def _folder(out: Path, wanted: OutputTree) -> Iterator[Entry]:
    place = f"{wanted.name}/{MANIFEST}"
    old = tree.read(out, place)
    known = {} if old is None else manifest.parse(old, out / place)
    for name in sorted({*wanted.files, *(known or {})}):
        path = f"{wanted.name}/{name}"
        yield from _entry(
            path, tree.read(out, path), wanted.files.get(name), (known or {}).get(name)
        )
    # A manifest that cannot be read was not left so by us. It comes after the files it lists.
    recorded = "" if known is None else manifest.digest(old or b"")
    yield from _entry(place, old, manifest.render(wanted), recorded)


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
    elif manifest.digest(old) != recorded:
        yield Entry(path, State.EDITED, old, new)
    else:
        yield Entry(path, State.REMOVED if new is None else State.CHANGED, old, new)
