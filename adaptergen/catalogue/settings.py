"""What adapters rely on besides components: config, base class, capabilities, registries."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from adaptergen import guard
from adaptergen.catalogue.constructor import parameters
from adaptergen.catalogue.library import PACKAGE, Class, Library, assigned, assignments, text_of
from adaptergen.catalogue.model import ConfigField, Helper, RegistrationSite, SiteKind

#: Capability to the method that implements it, and what a release without it cannot do.
#: An emitted test that needs a capability is emitted only for releases that have it.
CAPABILITIES = {
    "left_padding": ("_accepts_derived_position_ids", "generate from prompts padded on the left"),
    "load_state_dict": ("_tl_key_to_actual_keys", "load all the weights that it gives out"),
    "offload": ("_update_offloaded_bias", "run with weights that accelerate offloads"),
    "pos_slice": ("mark_pos_dim", "cache a slice of positions of every hook"),
}
#: Modules of `model_bridge` that define those methods.
_CAPABILITY_MODULES = (
    "bridge",
    "bridge_core",
    "transformer_bridge",
    "generalized_components.base",
    "generalized_components.unembedding",
)
CONFIG = "TransformerBridgeConfig"
ADAPTER = "ArchitectureAdapter"
PASSTHROUGH = "_HF_PASSTHROUGH_ATTRS"
#: Folders that declare or set config fields, or that hold models older than bridges.
_NO_BRIDGE = frozenset({"components", "config", "pretrained", "supported_architectures"})
_OLDER = ("Hooked", "loading_from_pretrained")
_WORD = re.compile(rb"[A-Za-z_]\w+")
#: Modules that read attributes of adapters which the base class does not declare.
_READING = ("weight_processing", "model_bridge.transformer_bridge", "model_bridge.bridge_core")
#: Where an architecture is registered: the package of the adapters, and containers in files.
ADAPTERS = f"{PACKAGE}.model_bridge.supported_architectures"
_ADAPTERS_FILE = f"{PACKAGE}/model_bridge/supported_architectures/__init__.py"
_FACTORY_FILE = f"{PACKAGE}/factories/architecture_adapter_factory.py"
_REGISTRY_FILE = f"{PACKAGE}/tools/model_registry/__init__.py"
_REPORT_FILE = f"{PACKAGE}/tools/model_registry/generate_report.py"
_FACTORY = "SUPPORTED_ARCHITECTURES"
_CONTAINERS = (
    (_ADAPTERS_FILE, "__all__"),
    (_FACTORY_FILE, _FACTORY),
    (_REGISTRY_FILE, "HF_SUPPORTED_ARCHITECTURES"),
    (_REGISTRY_FILE, "CANONICAL_AUTHORS_BY_ARCH"),
    (_REPORT_FILE, "ARCHITECTURE_DESCRIPTIONS"),
)
_KINDS: dict[type, SiteKind] = {
    ast.List: "list", ast.Tuple: "list", ast.Set: "set", ast.Dict: "dict",
}  # fmt: skip


def find_config_fields(library: Library, gaps: list[str]) -> Mapping[str, ConfigField]:
    """The declared fields of the bridge configuration, inherited ones included."""
    # Before 3.3.0 the file had another name; the package exports the class in every release.
    exported = library.find(f"{PACKAGE}.config", CONFIG) is not None
    module = f"{PACKAGE}.config" if exported else f"{PACKAGE}.config.transformer_bridge_config"
    cls = _class(library, module, CONFIG, gaps)
    fields: dict[str, ConfigField] = {}
    for ancestor in reversed(library.mro(cls) if cls is not None else ()):
        for field in _fields(ancestor):
            if field.type is not None or field.name not in fields:
                fields[field.name] = field
    words = _words_of_bridges(library.package)
    return {
        name: replace(field, read=name.encode() in words) for name, field in sorted(fields.items())
    }


def _words_of_bridges(package: Path) -> set[bytes]:
    """Every word in code that a bridge may run."""
    words: set[bytes] = set()
    for file in package.rglob("*.py"):
        parts = file.relative_to(package).parts
        if not _NO_BRIDGE.intersection(parts) and not parts[0].startswith(_OLDER):
            words.update(_WORD.findall(guard.read(file, small=False)))
    return words


def find_adapter_attributes(library: Library, gaps: list[str]) -> Mapping[str, str]:
    """Attributes that an adapter may set, with the source text of their defaults.

    The base class declares some; others are only read, by `getattr` with a default.
    """
    cls = _class(library, f"{PACKAGE}.model_bridge.architecture_adapter", ADAPTER, gaps)
    declared = assignments(cls.node.body) if cls is not None else ()
    read = dict(pair for name in _READING for pair in _read(library, f"{PACKAGE}.{name}"))
    return dict(sorted((read | {name: ast.unparse(value) for name, value in declared}).items()))


def _read(library: Library, name: str) -> Iterator[tuple[str, str]]:
    """Names and defaults in `getattr(adapter, name, default)`."""
    module = library.module(name)
    statements = module.body if module is not None else ()
    for node in (node for statement in statements for node in ast.walk(statement)):
        match node:
            case ast.Call(
                func=ast.Name(id="getattr"),
                args=[
                    ast.Name(id="adapter") | ast.Attribute(attr="adapter"),
                    ast.Constant(value=str(attribute)),
                    default,
                ],
            ):
                yield attribute, ast.unparse(default)


def find_adapter_helpers(library: Library) -> Mapping[str, Helper]:
    """Protected methods of the base class that make a component or set config fields, and no more.

    All parameters of such a method are optional.
    """
    cls = library.find(f"{PACKAGE}.model_bridge.architecture_adapter", ADAPTER)
    found: dict[str, Helper] = {}
    for method in cls.node.body if cls is not None else ():
        if isinstance(method, ast.FunctionDef) and method.name.startswith("_"):
            taken = [(arg.arg, default) for arg, default in parameters(method)]
            defaults = {name: default for name, default in taken if default is not None}
            if not method.decorator_list and len(defaults) == len(taken):
                body = method.body[1:] if ast.get_docstring(method) else method.body
                helper = _setter(body, defaults) or _maker(body, defaults)
                found |= {method.name: helper} if helper else {}
    return dict(sorted(found.items()))


def _setter(body: list[ast.stmt], defaults: Mapping[str, str]) -> Helper | None:
    """A method that sets fields of `self.cfg`, and does nothing else."""
    sets: dict[str, str] = {}
    for statement in body:
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(ast.Attribute(ast.Name("self"), "cfg"), field)], value=value
            ):
                sets[field] = _value_text(value, defaults)
    understood = len(sets) == len(body) and all(sets.values())
    return Helper(defaults, sets=sets) if sets and understood else None


def _maker(body: list[ast.stmt], defaults: Mapping[str, str]) -> Helper | None:
    """A method that returns a new component with `self.cfg`."""
    local, options = dict(assignments(body)), dict(_options(body))
    match body[-1]:
        case ast.Return(
            ast.Call(func=ast.Name() | ast.Attribute() as callee, args=[], keywords=said)
        ):
            given = {keyword.arg or "**": keyword.value for keyword in said}
        case _:
            return None
    submodules = given.get("submodules")
    if isinstance(submodules, ast.Name):
        submodules = local.get(submodules.id)
    parts = dict(_submodules(submodules, defaults)) if isinstance(submodules, ast.Dict) else {}
    path = _value_text(given["name"], defaults) if "name" in given else ""
    known = {"name", "config", "submodules", "optional", "**"}
    if not path or not parts or not all(parts.values()) or not given.keys() <= known:
        return None
    if ast.unparse(given.get("config", given["name"])) != "self.cfg":
        return None
    return Helper(defaults, ast.unparse(callee), path, parts, options)


def _submodules(display: ast.Dict, defaults: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in zip(display.keys, display.values, strict=True):
        match key, value:
            case (
                ast.Constant(str(name)),
                ast.Call(ast.Name(component), [], [ast.keyword("name", path)]),
            ):
                yield name, f"{component} {_value_text(path, defaults)}"
            case _:
                yield "", ""


def _options(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Options of the component that a parameter gives, unless it is None."""
    for statement in body:
        match statement:
            case ast.If(
                test=ast.Compare(ast.Name(), [ast.IsNot()], [ast.Constant(None)]),
                body=[ast.Assign([ast.Subscript(_, ast.Constant(str(option)))], ast.Name(given))],
            ):
                yield option, given


def _value_text(value: ast.expr, defaults: Mapping[str, str]) -> str:
    """Source text of a constant, or the name of a parameter in braces; empty for all else."""
    if isinstance(value, ast.Name) and value.id in defaults:
        return f"{{{value.id}}}"
    return ast.unparse(value) if isinstance(value, ast.Constant) else ""


def find_passthrough(library: Library, gaps: list[str]) -> tuple[str, ...]:
    """The Hugging Face attributes that are copied to the bridge configuration, sorted."""
    name = f"{PACKAGE}.model_bridge.sources._bridge_builder"
    module = library.module(name)
    value = assigned(module.body, PASSTHROUGH) if module is not None else None
    if not isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        gaps.append(f"{name}: no {PASSTHROUGH}")
        return ()
    return tuple(sorted(text for item in value.elts if (text := text_of(item)) is not None))


def find_capabilities(library: Library) -> tuple[str, ...]:
    """The capabilities whose methods the tree defines, sorted."""
    modules = [library.module(f"{PACKAGE}.model_bridge.{name}") for name in _CAPABILITY_MODULES]
    classes = [cls for module in modules if module for cls in module.classes.values()]
    return tuple(
        name
        for name, (method, _) in CAPABILITIES.items()
        if any(cls.method(method) for cls in classes)
    )


def _class(library: Library, module: str, name: str, gaps: list[str]) -> Class | None:
    cls = library.find(module, name)
    if cls is None:
        gaps.append(f"{module}: no {name}")
    return cls


def _fields(cls: Class) -> Iterator[ConfigField]:
    """Dataclass fields, then constructor parameters, then attributes made in ``__init__``."""
    for statement in cls.node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                default = None if value is None else ast.unparse(value)
                yield ConfigField(name, ast.unparse(annotation), default)
    constructor = cls.method("__init__")
    if constructor is None:
        return
    for parameter, default in parameters(constructor):
        if parameter.annotation is not None:
            yield ConfigField(parameter.arg, ast.unparse(parameter.annotation), default)
    for node in ast.walk(constructor):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value
            ):
                yield ConfigField(name, None, ast.unparse(value))


def find_sites(library: Library, gaps: list[str]) -> tuple[RegistrationSite, ...]:
    """All registration sites of the tree; a missing one is appended to the gaps."""
    sites: list[RegistrationSite] = []
    for file in (_ADAPTERS_FILE, _FACTORY_FILE):
        module = library.module(_module_name(file))
        imported = module.imports.values() if module is not None else ()
        classes = (
            symbol
            for origin, symbol in imported
            if symbol is not None and f"{origin}.".startswith(f"{ADAPTERS}.")
        )
        entries = tuple(sorted(classes))
        if entries:
            sites.append(RegistrationSite(file, ADAPTERS, "imports", entries))
        else:
            gaps.append(f"{file}: no imports from {ADAPTERS}")
    for file, container in _CONTAINERS:
        value = _value(library, file, container)
        kind = _KINDS.get(type(value))
        if kind is None:
            gaps.append(f"{file}: no {container}")
        else:
            texts = {text for text, _, _ in entries_of(value)}
            sites.append(RegistrationSite(file, container, kind, tuple(sorted(texts))))
    return tuple(sites)


def find_adapters(library: Library) -> Mapping[str, str]:
    """Architecture to adapter class, as the factory has them."""
    value = _value(library, _FACTORY_FILE, _FACTORY)
    adapters = {name: ast.unparse(item) for name, item, _ in entries_of(value) if item is not None}
    return dict(sorted(adapters.items()))


def entries_of(value: ast.expr | None) -> list[tuple[str, ast.expr | None, int]]:
    """The items of a list, set or dict that are string literals: name, value (of a dict), line."""
    keys: list[ast.expr | None] = getattr(value, "elts", [])
    values: Sequence[ast.expr | None] = [None] * len(keys)
    if isinstance(value, ast.Dict):
        keys, values = value.keys, value.values
    pairs = zip(keys, values, strict=True)
    named = ((text_of(key), item, key.lineno) for key, item in pairs if key is not None)
    return [(name, item, line) for name, item, line in named if name is not None]


def _value(library: Library, file: str, name: str) -> ast.expr | None:
    module = library.module(_module_name(file))
    return None if module is None else assigned(module.body, name)


def _module_name(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
