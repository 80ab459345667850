"""What a finding is, and the files that findings are about."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from adaptergen.catalogue.library import Class, Library
from adaptergen.catalogue.model import Catalogue
from adaptergen.problems import Problem, SourceLocation

Mend = tuple[str, Callable[[bytes], bytes]]
"""A file, and what is done to its bytes."""


@dataclass(frozen=True)
class Finding:
    """A problem, what it is about (an architecture, a class, an attribute), and how to mend it."""

    problem: Problem
    subject: str
    mend: Mend | None = field(default=None, compare=False)

    @property
    def code(self) -> str:
        """The code of the problem."""
        return self.problem.code


@dataclass(frozen=True)
class Source:
    """The tree that is audited, with what its catalogue knows."""

    root: Path
    catalogue: Catalogue
    library: Library

    def tree(self, path: str) -> ast.Module:
        """A file's syntax tree; an empty one if there is no such file."""
        file = self.root / path
        return ast.parse(file.read_bytes()) if file.is_file() else ast.Module([], [])

    def finding(
        self, code: str, subject: str, message: str, hint: str, path: str, line: int,
        mend: Mend | None = None,
    ) -> Finding:  # fmt: skip
        """A finding at a line of a file."""
        return Finding(Problem(code, message, hint, SourceLocation(path, line)), subject, mend)

    @cached_property
    def adapters(self) -> tuple[tuple[str, Class], ...]:
        """Every adapter class of the package, with its file; the base class is none."""
        package = "transformer_lens.model_bridge.supported_architectures"
        return tuple(
            (f"{module.name.replace('.', '/')}.py", cls)
            for module in self.library.modules_in(package)
            for cls in module.classes.values()
            if any(base.name == "ArchitectureAdapter" for base in self.library.mro(cls)[1:])
        )


def entries(tree: ast.Module, container: str) -> list[tuple[str, ast.expr | None, int]]:
    """The items of a list, set or dict at the top level: name, value (of a dict), line."""
    found: list[tuple[str, ast.expr | None, int]] = []
    for name, value in _assigned(tree):
        if name != container:
            continue
        pairs: list[tuple[ast.expr | None, ast.expr | None]]
        if isinstance(value, ast.Dict):
            pairs = [*zip(value.keys, value.values, strict=True)]
        else:
            pairs = [(item, None) for item in getattr(value, "elts", [])]
        found = [
            (key.value, item, key.lineno)
            for key, item in pairs
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        ]
    return found


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
