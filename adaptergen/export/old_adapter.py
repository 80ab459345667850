"""What the source of an adapter offers and sets, read by syntax; the adapter is never run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field

from adaptergen.catalogue.model import Catalogue

_BLOCKS = "blocks"
#: Attributes that hold components, and other names of their hooks.
_HOLDERS = frozenset({"component_mapping", "submodules", "hook_aliases"})
_READ = frozenset({"copy", "get", "items", "keys", "values"})
_READERS = frozenset({
    "all", "any", "bool", "dict", "enumerate", "frozenset", "isinstance", "iter", "len", "list",
    "print", "repr", "set", "sorted", "str", "tuple", "type",
})  # fmt: skip
_CHANGE = frozenset({
    "__delattr__", "__delitem__", "__setattr__", "__setitem__", "add", "append", "clear",
    "discard", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort",
    "update",
})  # fmt: skip
_SHOWN = 60


@dataclass(frozen=True)
class OldAdapter:
    """Hooks and aliases by their names in the model or in a layer; the rest by name."""

    model_hooks: dict[str, bool]
    """Hook or alias, and whether it is there only where Hugging Face has the module."""
    layer_hooks: dict[str, bool]
    settings: dict[str, str]
    """Attribute of cfg to the source text of what it is set to."""
    members: frozenset[str]
    """Methods and class attributes of the adapter class."""
    names: frozenset[str]
    """What the module binds at its top level, imports left out."""
    unread: tuple[str, ...]
    """What syntax does not show, with its line."""


def read_old(tree: ast.Module, adapter: str, catalogue: Catalogue) -> OldAdapter:
    """What the class `adapter` in a module offers."""
    reader = _Reader(catalogue)
    scopes: list[ast.AST] = []
    members: frozenset[str] = frozenset()
    for cls in tree.body:
        if isinstance(cls, ast.ClassDef) and cls.name == adapter:
            # What the module's own functions do, they do for the class.
            functions = ast.FunctionDef | ast.AsyncFunctionDef
            scopes = [cls, *(node for node in tree.body if isinstance(node, functions))]
            members = frozenset(_bound(cls))
            bases = [base for base in map(ast.unparse, cls.bases) if base != "ArchitectureAdapter"]
            reader.unread += [f"line {cls.lineno}: what `{base}` hands down" for base in bases]
    read = set()
    for node in (node for scope in scopes for node in ast.walk(scope)):
        for target, value, _ in _assignments(node):
            match target:
                case ast.Attribute(attr="component_mapping") | ast.Name(id="component_mapping"):
                    if value is not None:
                        reader.mapping(value)
                        read.add(target)
    settings = _Settings(scopes)
    reader.unread += [
        f"line {line}: `{text}`"
        for line, text in sorted({*_changes(scopes, read), *settings.unread})
    ]
    return OldAdapter(
        reader.model,
        reader.layer,
        {name: " or ".join(values) for name, values in settings.values.items()},
        members,
        frozenset(_bound(tree)),
        tuple(reader.unread),
    )


def _bound(scope: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in scope.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        for target, _, _ in _assignments(node):
            if isinstance(target, ast.Name):
                yield target.id
        # Declared and not set, which a class hands on to its instances.
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


@dataclass
class _Reader:
    catalogue: Catalogue
    model: dict[str, bool] = field(default_factory=dict)
    layer: dict[str, bool] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)

    def mapping(self, node: ast.expr, prefix: str = "") -> None:
        """The components of a dict display, and all below them."""
        if not isinstance(node, ast.Dict):
            self.unread.append(f"line {node.lineno}: components from `{_shown(node)}`")
            return
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self.component(f"{prefix}{key.value}", value)
            else:
                self.unread.append(f"line {value.lineno}: `{_shown(value)}`")

    def component(self, name: str, value: ast.expr) -> None:
        """A component and its submodules."""
        known = self.catalogue.components
        for call in ast.walk(value):
            if isinstance(call, ast.Call) and (component := known.get(ast.unparse(call.func))):
                break
        else:
            self.unread.append(f"line {value.lineno}: `{name}` is `{_shown(value)}`")
            return
        # A helper around the call, or the keyword, says that the module may be missing.
        if "optional" in ast.unparse(value):
            inner = {keyword.arg for keyword in call.keywords} & {"submodules", "optional"}
            if inner != {"submodules"}:
                self.optional.add(f"{name}.")
        for keyword in call.keywords:
            if keyword.arg == "submodules":
                self.mapping(keyword.value, f"{name}.")
        for hook in component.hooks:
            if hook.by_default is not False:
                self._add(f"{name}.{hook.name}", f"{name}.{hook.name}")
        for alias, led_to in component.hook_aliases.items():
            self._add(f"{name}.{alias}", f"{name}.{led_to[0]}" if led_to else name)

    def _add(self, name: str, target: str) -> None:
        inside = name.startswith(f"{_BLOCKS}.")
        maybe = any(target.startswith(prefix) for prefix in self.optional)
        (self.layer if inside else self.model)[name.removeprefix(f"{_BLOCKS}.")] = maybe


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None, str]]:
    """Each single target that a node sets, the value if it is written out, and its text."""
    match node:
        case ast.Assign(targets=several, value=value):
            for target in several:
                yield from _pairs(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value, ast.unparse(value)
        case ast.AugAssign(target=target, op=op, value=value):
            yield target, None, ast.unparse(ast.BinOp(target, op, value))
        case (
            ast.For(target=target, iter=value)
            | ast.AsyncFor(target=target, iter=value)
            | ast.comprehension(target=target, iter=value)
        ):
            yield from ((leaf, None, f"each of {ast.unparse(value)}") for leaf in _leaves(target))
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            yield from ((leaf, None, ast.unparse(value)) for leaf in _leaves(target))


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr | None, str]]:
    match target, value:
        case (
            (ast.Tuple(elts=names) | ast.List(elts=names)),
            (ast.Tuple(elts=values) | ast.List(elts=values)),
        ) if len(names) == len(values) and not any(
            isinstance(one, ast.Starred) for one in (*names, *values)
        ):
            for name, one in zip(names, values, strict=True):
                yield from _pairs(name, one)
        case ((ast.Tuple() | ast.List()), _):
            yield from ((leaf, None, f"of {ast.unparse(value)}") for leaf in _leaves(target))
        case _:
            yield target, value, ast.unparse(value)


def _leaves(target: ast.expr) -> Iterator[ast.expr]:
    match target:
        case ast.Tuple(elts=inner) | ast.List(elts=inner):
            for one in inner:
                yield from _leaves(one)
        case ast.Starred(value=one):
            yield from _leaves(one)
        case _:
            yield target


class _Settings:
    """Attributes of cfg that scopes set, each with every text it is set to; and what is unread."""

    def __init__(self, scopes: Iterable[ast.AST]) -> None:
        self.values: dict[str, list[str]] = {}
        self.unread: list[tuple[int, str]] = []
        nodes = [node for scope in scopes for node in ast.walk(scope)]
        self._names = {"cfg"}
        for node in nodes:
            for target, value, _ in _assignments(node):
                if isinstance(target, ast.Name) and value is not None and self._is_cfg(value):
                    self._names.add(target.id)
        for node in nodes:
            for target, _, text in _assignments(node):
                if isinstance(target, ast.Attribute) and self._is_cfg(target.value):
                    self._set(target.attr, text)
                elif self._is_below_cfg(target):
                    self._note(node if isinstance(node, ast.stmt) else target)
            match node:
                case ast.Delete(targets=several):
                    if any(map(self._is_below_cfg, several)):
                        self._note(node)
                case ast.Call(
                    func=ast.Name(id="setattr"), args=[cfg, ast.Constant(value=str(name)), value]
                ) if self._is_cfg(cfg):
                    self._set(name, ast.unparse(value))
                case ast.Call():
                    if any(self._is_cfg(one) or self._is_below_cfg(one) for one in _changed(node)):
                        self._note(node)

    def _is_cfg(self, node: ast.expr) -> bool:
        match node:
            case ast.Attribute(attr="cfg"):
                return True
            case ast.Name(id=name):
                return name in self._names
        return False

    def _is_below_cfg(self, node: ast.expr) -> bool:
        """Whether it is reached through an attribute of cfg, or through all of them as a dict."""
        match node:
            case (
                ast.Attribute(value=inner)
                | ast.Subscript(value=inner)
                | ast.Call(func=ast.Attribute(value=inner))
                | ast.Call(func=ast.Name(id="vars" | "getattr"), args=[inner, *_])
            ):
                return self._is_cfg(inner) or self._is_below_cfg(inner)
        return False

    def _set(self, name: str, text: str) -> None:
        values = self.values.setdefault(name, [])
        if text not in values:
            values.append(text)

    def _note(self, node: ast.expr | ast.stmt) -> None:
        self.unread.append((node.lineno, _shown(node)))


def _changed(call: ast.Call) -> Iterator[ast.expr]:
    """What a call may change."""
    match call.func:
        case ast.Name(id="setattr" | "delattr"):
            yield from call.args[:1]
        case ast.Attribute(value=value, attr=name) if name in _CHANGE:
            yield value
            if name in ("__setattr__", "__delattr__"):
                yield from call.args[:1]


def _shown(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:_SHOWN]


def _changes(scopes: Iterable[ast.AST], read: Set[ast.expr]) -> Iterator[tuple[int, str]]:
    """Uses of components that may change them, by line; `read` are targets that are read anyway."""
    for scope in scopes:
        parents = {inner: node for node in ast.walk(scope) for inner in ast.iter_child_nodes(node)}
        for node in ast.walk(scope):
            if _keeps(node) and node not in read and not _only_read(node, parents):
                statement = node
                while not isinstance(statement, ast.stmt):
                    statement = parents[statement]
                yield statement.lineno, _shown(statement)


def _keeps(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr=name):
            return name in _HOLDERS
        case ast.Name(id=name):
            return name == "component_mapping"
        case ast.Call(
            func=ast.Name(id="getattr" | "setattr" | "delattr"),
            args=[_, ast.Constant(value=str(name)), *_],
        ):
            return name in _HOLDERS
    return False


def _is_set(node: ast.AST) -> bool:
    return not isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def _only_read(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="setattr" | "delattr")):
            return False
    if _is_set(node):
        return False
    match parents[node]:
        case ast.Attribute(attr=name):
            return name in _READ
        case ast.Subscript(value=value) as found if value is node:
            return _only_looked_at(found, parents)
        case ast.Call(func=ast.Name(id=name)):
            return name in _READERS
        case ast.For(iter=value) | ast.comprehension(iter=value):
            return value is node
        case ast.Compare() | ast.Expr():
            return True
    tested = node
    while isinstance(parents[tested], ast.BoolOp | ast.UnaryOp):
        tested = parents[tested]
    return getattr(parents[tested], "test", None) is tested


def _only_looked_at(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether nothing that is reached through the node is set."""
    if _is_set(node):
        return False
    match parents[node]:
        case ast.Attribute(value=value) | ast.Subscript(value=value) as outer if value is node:
            return _only_looked_at(outer, parents)
    return True
