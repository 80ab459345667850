"""The journal of a build: enough to finish it or to undo it after a kill at any moment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from adaptergen.output.errors import OutputError
from adaptergen.output.wanted import check_relative

FORMAT = 1


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

    def render(self) -> bytes:
        """The journal as it is written to disk."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode()


def parse(data: bytes, place: Path) -> Journal:
    """Read a journal back; paths that would lead out of OUT are refused."""
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise ValueError("another format")
        moves = tuple(
            Move(check_relative(move["path"]), move["before"], move["after"])
            for move in content["moves"]
        )
        return Journal(moves, tuple(check_relative(folder) for folder in content["folders"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(
            f"the journal of an interrupted build cannot be read ({error})",
            f"look at the files with `git diff`, remove {place.parent}, then build again",
            place,
        ) from error
