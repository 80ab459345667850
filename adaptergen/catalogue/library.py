"""The source tree of a TransformerLens: where it is, which version, its modules and classes.

Nothing of TransformerLens is imported or run.
Modules are parsed when first asked for, so a mix-in outside the components' package is found too.
Classes of other distributions (`torch.nn.Module`) are known by name only.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from adaptergen import guard
from adaptergen.catalogue.model import CatalogueError

PACKAGE = "transformer_lens"
COMPONENTS = "model_bridge/generalized_components"
# Upstream's development tree has this placeholder; releases fill it in.
_PLACEHOLDER = "0.0.0"
_METADATA_VERSION = re.compile(r"^Version:\s*(\S+)\s*$", re.MULTILINE)
_PROJECT_TABLE = re.compile(r"^\[(?:project|tool\.poetry)\]\s*$(.*?)(?=^\[|\Z)", re.M | re.S)
_PROJECT_VERSION = re.compile(r"""^\s*version\s*=\s*["']([^"']+)["']""", re.MULTILINE)
# Dicts that are built from each other in a ring would be followed for ever.
_MAX_DEPTH = 20


def find_installed() -> Path | None:
    """The package directory of the installed TransformerLens, or None."""
    try:
        # For a dotted name find_spec would import the parents.
        spec = importlib.util.find_spec(PACKAGE)
    except ValueError:
        return None
    # A folder of that name without an __init__ (generated files lie in one) has no origin.
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def package_of(path: Path | None, hint: str) -> Path:
    """What was named, or else the installed TransformerLens. CatalogueError, with this hint."""
    found = path or find_installed()
    if found is None:
        raise CatalogueError("No TransformerLens is installed.", hint)
    return found


def installed_version() -> str | None:
    """The version of the installed TransformerLens, or None."""
    try:
        return importlib.metadata.version("transformer-lens")
    except importlib.metadata.PackageNotFoundError:
        return None


def locate(path: Path) -> Path:
    """The package directory in `path`, which is that directory or a checkout. CatalogueError."""
    for candidate in (path, path / PACKAGE, path / "src" / PACKAGE):
        if (candidate / COMPONENTS).is_dir():
            return candidate.resolve()
    problem = "is not TransformerLens" if path.exists() else "does not exist"
    raise CatalogueError(
        f"{path} {problem}: there is no {PACKAGE}/{COMPONENTS} in it.",
        "Give a checkout of TransformerLens, or its installed package directory.",
    )


def version_of(package: Path) -> str:
    """The version in the metadata beside the package. Raises CatalogueError."""
    metadata = [package.parent / "PKG-INFO"]
    metadata += sorted(package.parent.glob(f"{PACKAGE}-*.dist-info/METADATA"))
    found = {_first(_METADATA_VERSION, _text(file)) for file in metadata} - {""}
    if not found:
        table = _first(_PROJECT_TABLE, _text(package.parent / "pyproject.toml"))
        found = {_first(_PROJECT_VERSION, table)} - {"", _PLACEHOLDER}
    if len(found) == 1:
        return found.pop()
    reason = f"several are named: {', '.join(sorted(found))}" if found else "no file names it"
    raise CatalogueError(
        f"The TransformerLens version of {package} cannot be determined: {reason}.",
        "Give the version explicitly.",
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match.group(1) if match else ""


def _text(file: Path) -> str:
    try:
        return guard.read(file).decode("utf-8", "replace")
    except OSError:
        return ""


class NotLiteral(Exception):
    """The value cannot be read without running the class."""


@dataclass(frozen=True)
class Class:
    """A class statement and its module."""

    name: str
    module: Module
    node: ast.ClassDef

    def method(self, name: str) -> ast.FunctionDef | None:
        """The method that this class itself defines."""
        methods = (one for one in self.node.body if isinstance(one, ast.FunctionDef))
        return next((method for method in methods if method.name == name), None)


@dataclass(frozen=True, eq=False)
class Module:
    """The names that a file binds at its top level."""

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
        self._types: dict[Class | str, type] = {}
        self._sources: dict[type, Class] = {}

    def module(self, name: str) -> Module | None:
        """The module of that dotted name, or None when the tree has no such file."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def modules_in(self, name: str) -> Iterator[Module]:
        """The modules directly inside a package, sorted by name."""
        folder = self.package.joinpath(*name.split(".")[1:])
        for file in sorted(folder.glob("*.py")):
            module = None if file.stem == "__init__" else self.module(f"{name}.{file.stem}")
            if module is not None:
                yield module

    def find(self, module: Module | str, dotted: str) -> Class | None:
        """The class that a dotted name means inside a module, imports followed."""
        inside = self.module(module) if isinstance(module, str) else module
        return self._find(inside, dotted.split("."), frozenset())

    def bases(self, cls: Class) -> list[Class | str]:
        """The direct base classes; one from outside the tree by the text that names it."""
        names = [ast.unparse(base) for base in cls.node.bases]
        return [self.find(cls.module, name) or name for name in names]

    def mro(self, cls: Class) -> tuple[Class, ...]:
        """The method resolution order, classes from outside the tree left out."""
        order = self._type(cls, ()).__mro__
        return tuple(self._sources[made] for made in order if made in self._sources)

    def _find(
        self, module: Module | None, parts: list[str], seen: frozenset[tuple[str, str]]
    ) -> Class | None:
        if module is None or not parts or (module.name, parts[0]) in seen:
            return None
        head, rest = parts[0], parts[1:]
        seen |= {(module.name, head)}
        if not rest and head in module.classes:
            return module.classes[head]
        origin, symbol = module.imports.get(head, (None, None))
        if origin is None:
            return None
        if symbol is not None and rest:
            return self._find(self.module(f"{origin}.{symbol}"), rest, seen)
        return self._find(self.module(origin), [symbol] if symbol is not None else rest, seen)

    def _type(self, cls: Class | str, below: tuple[Class | str, ...]) -> type:
        """An empty class with bases like those of `cls`, so that Python computes the order."""
        if cls in self._types:
            return self._types[cls]
        if isinstance(cls, str):
            self._types[cls] = type(cls, (), {})
            return self._types[cls]
        name, hint = f"{cls.module.name}.{cls.name}", "Take a clean copy of TransformerLens."
        if cls in below:
            raise CatalogueError(f"{name} is its own base class.", hint)
        bases = tuple(self._type(base, (*below, cls)) for base in self.bases(cls))
        try:
            made = self._types[cls] = type(cls.name, bases, {})
        except TypeError as error:
            message = f"The base classes of {name} have no consistent order."
            raise CatalogueError(message, hint) from error
        self._sources[made] = cls
        return made

    def _read(self, name: str) -> Module | None:
        top, *parts = name.split(".")
        if top != PACKAGE:
            return None
        path = self.package.joinpath(*parts)
        is_package = (path / "__init__.py").is_file()
        file = path / "__init__.py" if is_package else path.with_suffix(".py")
        if not file.is_file():
            return None
        statements = tuple(_top_level(_parse(file).body))
        module = Module(name, statements)
        parent = name if is_package else name.rpartition(".")[0]
        for statement in statements:
            if isinstance(statement, ast.ClassDef):
                module.classes[statement.name] = Class(statement.name, module, statement)
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                module.imports.update(_bindings(statement, parent))
        return module


def _parse(file: Path) -> ast.Module:
    """The syntax tree of a file. Raises CatalogueError."""
    try:
        with warnings.catch_warnings():
            # Odd string escapes in upstream's source do not matter here.
            warnings.simplefilter("ignore")
            return ast.parse(guard.read(file, small=False), filename=str(file))
    except OSError as error:
        raise CatalogueError(
            f"{file} cannot be read: {error.strerror}.",
            "Fix the file's permissions or take another copy of TransformerLens.",
        ) from error
    except SyntaxError as error:
        raise CatalogueError(
            f"{file}:{error.lineno or 1} does not parse: {error.msg}.",
            "Take a clean copy of TransformerLens, or a Python as new as that version needs.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise CatalogueError(
            f"{file} does not parse: {error}.", "Take a clean copy of TransformerLens."
        ) from error


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that bind module names, those under `if` and `try` included."""
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


def assignments(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Plain assignments to names, in order: name and value."""
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def assigned(body: Iterable[ast.stmt], name: str) -> ast.expr | None:
    """The expression last assigned to a name."""
    return dict(assignments(body)).get(name)


def text_of(node: ast.expr | None) -> str | None:
    """The text that a string literal stands for; None for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _class_value(mro: Sequence[Class], name: str) -> tuple[Class, ast.expr] | None:
    """The first class of the order that sets a class attribute, and the expression."""
    for cls in mro:
        value = assigned(cls.node.body, name)
        if value is not None:
            return cls, value
    return None


def class_flag(mro: Sequence[Class], name: str) -> bool | None:
    """A class attribute that is plainly True or False, and that no method rebinds."""
    found = _class_value(mro, name)
    if found is None or any(name in _rebound(cls.node) for cls in mro):
        return None
    match found[1]:
        case ast.Constant(value=bool(flag)):
            return flag
    return None


def class_dict(library: Library, mro: Sequence[Class], name: str) -> Mapping[str, object]:
    """A class attribute that is a dict, built from dict displays, `|`, `dict` and `copy`.

    Raises NotLiteral when it is built in another way.
    """
    found = _class_value(mro, name)
    return {} if found is None else _dict_value(library, *found, depth=0)


def _dict_value(library: Library, owner: Class, node: ast.expr, depth: int) -> dict[str, object]:
    def value(inner: ast.expr) -> dict[str, object]:
        return _dict_value(library, owner, inner, depth + 1)

    made: dict[str, object] = {}
    found: tuple[Class, ast.expr] | None = None
    match node:
        case _ if depth > _MAX_DEPTH:
            raise NotLiteral
        case ast.Dict(keys=keys, values=values):
            for key, item in zip(keys, values, strict=True):
                match key:
                    case None:
                        made.update(value(item))
                    case ast.Constant(value=str(name)):
                        made[name] = _literal(item)
                    case _:
                        raise NotLiteral
            return made
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return {**value(left), **value(right)}
        case ast.Call(func=ast.Name(id="dict"), args=args, keywords=keywords) if len(args) < 2:
            for argument in args:
                made.update(value(argument))
            for word in keywords:
                made.update(
                    {word.arg: _literal(word.value)} if word.arg is not None else value(word.value)
                )
            return made
        case ast.Call(func=ast.Attribute(value=copied, attr="copy"), args=[], keywords=[]):
            return value(copied)
        case ast.Attribute(value=of, attr=attribute):
            cls = library.find(owner.module, ast.unparse(of))
            found = _class_value(library.mro(cls), attribute) if cls is not None else None
        case ast.Name(id=name):
            bound = assigned(owner.node.body, name) or assigned(owner.module.body, name)
            found = (owner, bound) if bound is not None else None
    if found is None:
        raise NotLiteral
    return _dict_value(library, *found, depth=depth + 1)


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError) as error:
        raise NotLiteral from error


@lru_cache
def _rebound(node: ast.ClassDef) -> frozenset[str]:
    """The attributes that a class sets or deletes on anything."""
    return frozenset(
        inner.attr
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, (ast.Store, ast.Del))
    )
