"""Cases: a mistake in a small spec, and what is said of it.

A file in `cases/` is called like the code it is about and holds one case or more:

    === what the user did
    --- specs/small.yaml
    the text that is there
    --- becomes
    the text in its place
    --- shows
    the problems, as the terminal has them

`--- FILE` may come several times. Instead of an edit, `--- FILE is` has the whole text of the
file, `--- FILE is bytes` an expression of Python for its bytes, and `--- FILE is a` names what
the file is instead (see `KINDS` in the tests). `--- build` names what to build if it is not
`specs/small.yaml`, one path in a line. `--- drift` names two releases: then these are compared, and
nothing is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "cases"
_TITLE = re.compile(r"^=== (.*)\n", re.MULTILINE)
_PART = re.compile(r"^--- (.*)\n", re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """A file, how its new content is given, and the text for it."""

    file: str
    how: str
    old: str
    new: str


@dataclass
class Case:
    """One mistake. `shows` is None as long as nobody has looked."""

    code: str
    title: str
    edits: list[Edit] = field(default_factory=list)
    build: tuple[str, ...] = ("specs/small.yaml",)
    drift: tuple[str, ...] = ()
    shows: str | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.title}"


def read(path: Path) -> list[Case]:
    """The cases of one file."""
    parts = _TITLE.split(path.read_text("utf-8"))
    assert not parts[0].strip(), f"{path.name} starts with a line `=== ...`"
    return [_case(path.stem, *pair) for pair in zip(parts[1::2], parts[2::2], strict=True)]


def _case(code: str, title: str, text: str) -> Case:
    parts = _PART.split(text)
    case = Case(code, title)
    pairs = iter(zip(parts[1::2], parts[2::2], strict=True))
    for head, body in pairs:
        if head == "shows":
            case.shows = body.strip("\n")
        elif head == "build":
            case.build = tuple(body.split())
        elif head == "drift":
            case.drift = tuple(body.split())
        else:
            case.edits.append(_edit(head, body, pairs))
    return case


def _edit(head: str, body: str, pairs: Iterator[tuple[str, str]]) -> Edit:
    name, _, how = head.partition(" is")
    if how or head.endswith(" is"):
        return Edit(name, how.strip() or "text", "", body.rstrip("\n") + "\n")
    word, new = next(pairs)
    assert word == "becomes", f"`--- becomes` follows an edit, not `--- {word}`"
    return Edit(name, "edit", body.strip("\n"), new.strip("\n"))


def with_results(path: Path, results: list[str]) -> str:
    """The text of a file with what its cases show in the place of what they showed."""
    parts = _TITLE.split(path.read_text("utf-8"))
    text = ""
    for title, body, shown in zip(parts[1::2], parts[2::2], results, strict=True):
        before = re.split(r"^--- shows\n", body, flags=re.MULTILINE)[0].rstrip("\n")
        text += f"=== {title}\n{before}\n--- shows\n{shown}\n\n"
    return text.rstrip("\n") + "\n"
