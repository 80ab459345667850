"""The checkout as it shall be: edits piled up in memory, written or shown at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from adaptergen.export.checkout import Checkout
from adaptergen.output.compare import Entry, State
from adaptergen.problems import Failed, Problem, SourceLocation


@dataclass
class Draft:
    """New bytes by path; what is not in it stays."""

    checkout: Checkout
    files: dict[str, bytes] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """A file with the edits made so far."""
        return self.files[path] if path in self.files else self.checkout.base(path)

    def put(self, path: str, data: bytes) -> None:
        """A file as a whole."""
        self.files[path] = data

    def edit(self, path: str, change: Callable[[bytes], bytes]) -> None:
        """A file that has to be there, changed."""
        data = self.read(path)
        if data is None:
            raise Failed(
                [
                    Problem(
                        "container-missing",
                        "the file is not in the checkout",
                        "check that this is TransformerLens, and which version",
                        SourceLocation(path),
                    )
                ]
            )
        self.files[path] = change(data)

    def dirty(self) -> list[str]:
        """Changes in the checkout that are not what this draft makes of it."""
        return [
            path
            for path in self.checkout.changed
            if self.files.get(path, self.checkout.base(path)) != self.checkout.now(path)
        ]

    def entries(self) -> tuple[Entry, ...]:
        """What is still to be written, in the order of paths."""
        found = ((path, self.checkout.now(path), new) for path, new in sorted(self.files.items()))
        return tuple(
            Entry(path, State.NEW if old is None else State.CHANGED, old, new)
            for path, old, new in found
            if old != new
        )
