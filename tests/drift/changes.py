"""Changes to the small hybrid, each with what has to be found of it and how bad that is.

`changes.txt` holds them: after `===` the name; after `--- finds` the findings that are not benign,
as severity, code and first path; then texts and what stands in their place. A change that finds
nothing else is benign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("changes.txt")
Expected = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """Texts replaced in the module, and the findings that are not benign."""

    name: str
    edits: tuple[tuple[str, str], ...]
    expected: frozenset[Expected]

    def apply(self, text: str) -> str:
        """The module with the change."""
        for old, new in self.edits:
            assert text.count(old) == 1, f"{self.name}: {text.count(old)} times {old!r}"
            text = text.replace(old, new)
        return text


def read() -> Iterator[Change]:
    """Every change of the file."""
    for section in FILE.read_text(encoding="utf-8").split("=== ")[1:]:
        name, _, text = section.partition("\n")
        finds, *edits = re.split(r"^--- (?:finds|replace|by)\n", text, flags=re.MULTILINE)[1:]
        expected = {tuple(f"{line} ".split(" ", 3)[:3]) for line in finds.split("\n") if line}
        # The last line end of a text is that of the file.
        texts = [edit.rstrip("\n") for edit in edits]
        yield Change(name, tuple(zip(texts[::2], texts[1::2], strict=True)), frozenset(expected))


EVERY = tuple(read())
CHANGES = tuple(change for change in EVERY if change.expected)
BENIGN = tuple(change for change in EVERY if not change.expected)
