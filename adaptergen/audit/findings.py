"""What a finding is, and the source tree that findings are about."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from adaptergen.catalogue.library import Class, Library, assigned
from adaptergen.catalogue.model import Catalogue
from adaptergen.catalogue.settings import ADAPTERS, entries_of
from adaptergen.edit.entries import Entry, add
from adaptergen.problems import Problem, SourceLocation

Fix = tuple[str, Callable[[bytes], bytes]]
"""A file, and the edit of its bytes."""


def adding(path: str, entry: Entry) -> Fix:
    """The fix that adds an entry to a file."""
    return path, partial(add, path=path, entry=entry)


@dataclass(frozen=True)
class Finding:
    """A problem, what it is about (an architecture, a class, an attribute), and how to fix it."""

    problem: Problem
    subject: str
    fix: Fix | None = field(default=None, compare=False)

    @property
    def code(self) -> str:
        """The code of the problem."""
        return self.problem.code


@dataclass(frozen=True)
class AuditedTree:
    """The source tree that is audited, with its catalogue."""

    root: Path
    catalogue: Catalogue
    library: Library

    def parse(self, path: str) -> ast.Module:
        """A file's syntax tree, empty if there is no such file."""
        file = self.root / path
        return ast.parse(file.read_bytes()) if file.is_file() else ast.Module([], [])

    def entries(self, path: str, container: str) -> list[tuple[str, ast.expr | None, int]]:
        """The items of a list, set or dict of a file: name, value (of a dict), line."""
        return entries_of(assigned(self.parse(path).body, container))

    def finding(
        self, code: str, subject: str, message: str, hint: str, path: str, line: int,
        fix: Fix | None = None,
    ) -> Finding:  # fmt: skip
        """A finding at a line of a file."""
        return Finding(Problem(code, message, hint, SourceLocation(path, line)), subject, fix)

    @cached_property
    def adapters(self) -> tuple[tuple[str, Class], ...]:
        """Every adapter class of the package, with its file, without the base class."""
        return tuple(
            (f"{module.name.replace('.', '/')}.py", cls)
            for module in self.library.modules_in(ADAPTERS)
            for cls in module.classes.values()
            if self.is_adapter(cls)
        )

    def is_adapter(self, cls: Class) -> bool:
        """Whether a class derives from the base class of adapters."""
        return any(base.name == "ArchitectureAdapter" for base in self.library.mro(cls)[1:])
