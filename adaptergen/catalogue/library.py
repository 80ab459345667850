"""Names across files: which class a name means, and its method resolution order.

Modules are read when first asked for, so a mix-in outside the components' package is
found too; classes from other distributions (``torch.nn.Module``) are opaque.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from adaptergen.catalogue.errors import CatalogueError
from adaptergen.catalogue.installed import PACKAGE
from adaptergen.catalogue.tree import parse


@dataclass(frozen=True)
class Class:
    """One class statement and the module it stands in."""

    name: str
    module: Module
    node: ast.ClassDef

    def method(self, name: str) -> ast.FunctionDef | None:
        """The method this class itself defines."""
        for statement in self.node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == name:
                return statement
        return None


@dataclass(frozen=True)
class Opaque:
    """A base class that is not part of the tree."""

    name: str


@dataclass(frozen=True, eq=False)
class Module:
    """The names one file binds at its top level."""

    name: str
    body: tuple[ast.stmt, ...]
    classes: dict[str, Class] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Bound name to (module, symbol in it; None when the module itself is bound)."""


class Library:
    """All modules of one TransformerLens package directory."""

    def __init__(self, package: Path) -> None:
        self.package = package
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """The module of that dotted name, or None when the tree has no such file."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def modules_in(self, name: str) -> Iterator[Module]:
        """The modules directly inside a package, in the order of their names."""
        folder = self.package.joinpath(*name.split(".")[1:])
        for file in sorted(folder.glob("*.py")):
            module = None if file.stem == "__init__" else self.module(f"{name}.{file.stem}")
            if module is not None:
                yield module

    def find(self, module: Module, dotted: str) -> Class | None:
        """The class that a dotted name means inside a module, imports followed."""
        return self._find(module, dotted.split("."), frozenset())

    def bases(self, cls: Class) -> list[Class | Opaque]:
        """The direct base classes; an opaque one goes by the text that names it."""
        names = [ast.unparse(base) for base in cls.node.bases]
        return [self.find(cls.module, name) or Opaque(name) for name in names]

    def mro(self, cls: Class) -> tuple[Class, ...]:
        """The method resolution order, opaque classes left out."""
        return tuple(entry for entry in self._linearise(cls, ()) if isinstance(entry, Class))

    def _find(
        self, module: Module, parts: list[str], seen: frozenset[tuple[str, str]]
    ) -> Class | None:
        head, rest = parts[0], parts[1:]
        if (module.name, head) in seen:
            return None
        seen |= {(module.name, head)}
        if not rest and head in module.classes:
            return module.classes[head]
        origin, symbol = module.imports.get(head, (None, None))
        if origin is None:
            return None
        target = self.module(origin)
        if symbol is not None and rest:
            target, parts = self.module(f"{origin}.{symbol}"), rest
        else:
            parts = [symbol] if symbol is not None else rest
        return self._find(target, parts, seen) if target is not None and parts else None

    def _linearise(self, cls: Class, below: tuple[Class, ...]) -> list[Class | Opaque]:
        if cls in below:
            raise CatalogueError(
                f"{cls.module.name}.{cls.name} is its own base class.",
                "Take a clean copy of TransformerLens.",
            )
        bases = self.bases(cls)
        orders = [
            self._linearise(base, (*below, cls)) if isinstance(base, Class) else [base]
            for base in bases
        ]
        return [cls, *_merge([*orders, bases], cls)]

    def _read(self, name: str) -> Module | None:
        top, *parts = name.split(".")
        if top != PACKAGE:
            return None
        path = self.package.joinpath(*parts)
        is_package = (path / "__init__.py").is_file()
        file = path / "__init__.py" if is_package else path.with_suffix(".py")
        if not file.is_file():
            return None
        statements = tuple(_top_level(parse(file).body))
        module = Module(name, statements)
        parent = name if is_package else name.rpartition(".")[0]
        for statement in statements:
            if isinstance(statement, ast.ClassDef):
                module.classes[statement.name] = Class(statement.name, module, statement)
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                module.imports.update(_bindings(statement, parent))
        return module


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that bind module names, those under ``if`` and ``try`` included."""
    for statement in body:
        if isinstance(statement, (ast.If, ast.Try)):
            yield from _top_level([*statement.body, *statement.orelse])
        else:
            yield statement


def _bindings(
    statement: ast.Import | ast.ImportFrom, package: str
) -> Iterator[tuple[str, tuple[str, str | None]]]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or name, (name, None)
        return
    origin = statement.module or ""
    if statement.level:
        parts = package.split(".")
        kept = parts[: len(parts) - statement.level + 1]
        origin = ".".join([*kept, origin] if origin else kept)
    for alias in statement.names:
        yield alias.asname or alias.name, (origin, alias.name)


def _merge(orders: list[list[Class | Opaque]], cls: Class) -> Iterator[Class | Opaque]:
    """Python's own merge (C3) of the bases' orders."""
    while orders := [order for order in orders if order]:
        tails = {entry for order in orders for entry in order[1:]}
        head = next((order[0] for order in orders if order[0] not in tails), None)
        if head is None:
            raise CatalogueError(
                f"The base classes of {cls.module.name}.{cls.name} have no consistent order.",
                "Take a clean copy of TransformerLens.",
            )
        yield head
        orders = [order[1:] if order[0] == head else order for order in orders]
