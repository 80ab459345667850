"""What is said when facts about TransformerLens cannot be had."""

from __future__ import annotations


class CatalogueError(Exception):
    """Bad input to the catalogue: what is wrong and why, and how to mend it.

    Callers print ``message`` and ``hint``; no traceback is meant to be seen.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"
