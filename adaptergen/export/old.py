"""What an adapter that people wrote offers, read from its source and never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from adaptergen.catalogue import Catalogue
from adaptergen.export.assigned import Settings, changes, targets

_BLOCKS = "blocks"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


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
    """What syntax does not tell, with its line."""


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
            self.unread.append(f"line {node.lineno}: components from `{ast.unparse(node)[:60]}`")
            return
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self.component(f"{prefix}{key.value}", value)
            else:
                self.unread.append(f"line {value.lineno}: `{ast.unparse(value)[:60]}`")

    def component(self, name: str, value: ast.expr) -> None:
        """A component and its submodules."""
        call = next(
            (
                node
                for node in ast.walk(value)
                if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in self.catalogue.components
            ),
            None,
        )
        if call is None:
            self.unread.append(f"line {value.lineno}: `{name}` is `{ast.unparse(value)[:60]}`")
            return
        assert isinstance(call.func, ast.Name)
        component = self.catalogue.components[call.func.id]
        hooks = {hook.name for hook in component.hooks if hook.by_default is not False}
        # A helper around the call, or the keyword, says that the module may be missing.
        if "optional" in ast.unparse(value):
            inner = {keyword.arg for keyword in call.keywords} & {"submodules", "optional"}
            if inner != {"submodules"}:
                self.optional.add(f"{name}.")
        for keyword in call.keywords:
            if keyword.arg == "submodules":
                self.mapping(keyword.value, f"{name}.")
        for hook in hooks:
            self._add(f"{name}.{hook}", f"{name}.{hook}")
        for alias, led_to in component.hook_aliases.items():
            self._add(f"{name}.{alias}", f"{name}.{led_to[0]}" if led_to else name)

    def _add(self, name: str, target: str) -> None:
        inside = name.startswith(f"{_BLOCKS}.")
        maybe = any(target.startswith(prefix) for prefix in self.optional)
        (self.layer if inside else self.model)[name.removeprefix(f"{_BLOCKS}.")] = maybe


def read_old(tree: ast.Module, adapter: str, catalogue: Catalogue) -> OldAdapter:
    """What the class `adapter` in a module offers."""
    reader = _Reader(catalogue)
    cls = next(
        (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == adapter),
        None,
    )
    # What the module's own functions do, they do for the class.
    functions = [node for node in tree.body if isinstance(node, _FUNCTIONS)]
    scopes: list[ast.AST] = [cls, *functions] if cls else []
    if cls is not None:
        for base in cls.bases:
            if ast.unparse(base) != "ArchitectureAdapter":
                reader.unread.append(f"line {cls.lineno}: what `{ast.unparse(base)}` hands down")
    read = set()
    for node in (node for scope in scopes for node in ast.walk(scope)):
        for target, value, _ in targets(node):
            match target:
                case ast.Attribute(attr="component_mapping") | ast.Name(id="component_mapping"):
                    if value is not None:
                        reader.mapping(value)
                        read.add(target)
    settings = Settings(scopes)
    reader.unread += [
        f"line {line}: `{text}`"
        for line, text in sorted({*changes(scopes, read), *settings.unread})
    ]
    return OldAdapter(
        reader.model,
        reader.layer,
        {name: " or ".join(values) for name, values in settings.values.items()},
        frozenset(_bound(cls) if cls else ()),
        frozenset(_bound(tree)),
        tuple(reader.unread),
    )


def _bound(scope: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in scope.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case _:
                for target, _, _ in targets(node):
                    if isinstance(target, ast.Name):
                        yield target.id
                # Declared and not set, which a class hands on to its instances.
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    yield node.target.id
