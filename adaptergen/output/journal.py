"""The journal of a build: enough to finish it or to undo it after a kill at any moment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from adaptergen.output.errors import OutputError
from adaptergen.output.seal import genuine, seal
from adaptergen.output.wanted import check_relative

FORMAT = 2


@dataclass(frozen=True)
class Move:
    """One file below OUT and its digests before and after the build (None: no file)."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Journal:
    """The moves in their order, and the folders to make first (parents before children).

    Move number `i` finds its new bytes in `i.new` and the old ones in `i.old`.
    """

    moves: tuple[Move, ...]
    folders: tuple[str, ...]

    def render(self, out: Path) -> bytes:
        """The journal as it is written to disk, sealed for this folder."""
        told = seal(*_sealed(out, asdict(self)))
        return json.dumps({"format": FORMAT, "seal": told, **asdict(self)}, indent=1).encode()


def parse(data: bytes, out: Path, place: Path) -> Journal:
    """Read a journal back; refused is one that no build of this user wrote, in this folder.

    So are paths that would lead out of OUT, or to where a build never writes.
    """
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise ValueError("another format")
        moves = tuple(
            Move(check_relative(move["path"]), move["before"], move["after"])
            for move in content["moves"]
        )
        journal = Journal(moves, tuple(check_relative(folder) for folder in content["folders"]))
        known = genuine(content["seal"], *_sealed(out, asdict(journal)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refused(
            f"the journal of an interrupted build cannot be read ({error})", place
        ) from error
    if not known:
        raise refused("this user's builds on this machine did not write this journal here", place)
    return journal


def refused(why: str, place: Path) -> OutputError:
    """What is said of a staging folder from which nothing is recovered."""
    hint = f"look at the files with `git diff`, remove {place.parent}, then run the command again"
    return OutputError(f"{why}; nothing was recovered", hint, place)


def _sealed(out: Path, content: dict[str, object]) -> tuple[bytes, ...]:
    where = os.fsencode(os.path.realpath(out))
    return b"journal", where, json.dumps(content, sort_keys=True).encode()
