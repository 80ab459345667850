"""The structure of an adapter, which needs no model: what it maps, binds and carries."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import torch

from transformer_lens.config import TransformerBridgeConfig

from .findings import Finding
from .tables import AdapterTables, component, is_met, parts_of, value_of

#: A value for fields that something depends on.
SET = 16
#: Number of the layer that is bound.
LAYER = 3


class Structure:
    """An adapter class with its tables, and what checks make of both."""

    def __init__(self, tables: AdapterTables, adapter_class: Any) -> None:
        self.tables, self.adapter_class = tables, adapter_class

    def adapter(self, **attributes: object) -> Any:
        """The adapter with a small config that has these attributes."""
        cfg = TransformerBridgeConfig(
            d_model=32,
            d_head=8,
            n_heads=4,
            n_layers=len(self.tables.layers) or 1,
            n_ctx=64,
            d_vocab=50,
            architecture=self.tables.architecture,
        )
        for name, value in attributes.items():
            setattr(cfg, name, value)
        return self.adapter_class(cfg)

    def bind(self, says: str, holds: tuple[str, ...], config: Mapping[str, Any]) -> Any:
        """A block bound to a stand-in for HF's block, as TransformerLens binds it."""
        hf_block = torch.nn.Module()
        if self.tables.told_by:
            setattr(hf_block, self.tables.told_by, says)
        for path in holds:
            inner = hf_block
            for part in path.split("."):
                if part not in dict(inner.named_children()):
                    inner.add_module(part, torch.nn.Module())
                inner = getattr(inner, part)
        hf_block.inner = torch.nn.Module()
        hf_block.inner.config = SimpleNamespace(**config)
        block = copy.deepcopy(self.adapter().components["blocks"])
        block.name = f"{self.tables.blocks}.{LAYER}"
        block.set_original_component(hf_block)
        return block

    def bind_layer(self, layer: str, config: Mapping[str, Any], says: str = "") -> Any:
        """A block of some kinds, which may say its kind by another name."""
        held = (self.tables.kinds[kind].holds for kind in self.tables.kinds_of(layer))
        return self.bind(says or self.tables.told(layer), tuple(filter(None, held)), config)

    @property
    def conditions(self) -> dict[str, list[Any]]:
        """Fields of HF's config that components or hooks of layers depend on, and their values."""
        tables = [self.tables.shared, *self.tables.kinds.values()]
        lines = [component(line)[2] for table in tables for line in table.components.values()]
        lines += [hook.when for table in tables for hook in table.hooks.values()]
        found: dict[str, list[Any]] = {}
        for line in sorted(filter(None, lines)):
            name, _, value = parts_of(line)
            found.setdefault(name, []).append(value)
        return found

    def configs(self) -> Iterator[dict[str, Any]]:
        """Configs that meet the conditions, and that do not."""
        for value in (SET, None) if self.conditions else (None,):
            yield dict.fromkeys(self.conditions, value)
        for name, values in self.conditions.items():
            for value in dict.fromkeys(value for value in values if value is not None):
                yield {**dict.fromkeys(self.conditions, SET), name: value}

    def values(self) -> dict[str, Any]:
        """Fields of HF's config, no two alike, and none a default."""
        values: dict[str, Any] = {name: 6 + 4 * i for i, name in enumerate(self.tables.carried)}
        return values

    def all_values(self) -> dict[str, Any]:
        """Those, and what is derived from them."""
        values = self.values()
        for name, expression in self.tables.derived.items():
            values[name] = value_of(expression, values.get)
        return values

    def listed(self) -> dict[str, list[str]]:
        """The kinds of layers as HF lists them, the first of each by its oldest name."""
        if not self.tables.listed_in:
            return {}
        names = list(map(self.tables.told, self.tables.layers))
        for kind, table in self.tables.kinds.items():
            if table.formerly:
                names[names.index(kind)] = table.formerly[-1]
        return {self.tables.listed_in: names}

    def bound_to(self, config: Mapping[str, Any]) -> Any:
        """The adapter's cfg after it was bound to a model with this config."""
        adapter = self.adapter()
        model = SimpleNamespace(config=SimpleNamespace(**config))
        adapter.setup_hook_compatibility(SimpleNamespace(original_model=model, blocks=[]))
        return adapter.cfg


Check = Callable[[Structure], Iterator[Finding]]


def check_mapping(structure: Structure) -> Iterator[Finding]:
    """What is outside the layers, and the layers where all are alike."""
    tables, adapter = structure.tables, structure.adapter()
    blocks = f"{tables.block_class} {tables.blocks}"
    expected = {**_without_conditions(tables.model.components), "blocks": blocks}
    mapping = adapter.get_component_mapping()
    yield from _compare(
        "mapping", "the model's components", expected, _listing(mapping, deep=False)
    )
    if not tables.kinds:
        expected = _without_conditions(tables.shared.components)
        found = _listing(mapping["blocks"].submodules)
        yield from _compare("mapping", "the components of a layer", expected, found)


def check_binding(structure: Structure) -> Iterator[Finding]:
    """A layer binds what its kind has and its config asks for, and names the rest."""
    tables = structure.tables
    for kind in dict.fromkeys(tables.layers):
        for config in structure.configs():
            block = structure.bind_layer(kind, config)
            expected = {
                name: line
                for name, line in _without_conditions(tables.components_of(kind)).items()
                if _is_there(tables.components_of(kind), name, config)
            }
            what = f"the components of a {kind} layer with {config or 'any config'}"
            yield from _compare("binding", what, expected, _listing(block.submodules))
            aliases = tables.block_aliases(kind, SimpleNamespace(**config))
            what = f"the aliases of a {kind} layer with {config or 'any config'}"
            yield from _compare("binding", what, aliases, block.hook_aliases)
        own = tables.kinds.get(tables.told(kind))
        for former in own.formerly if own else ():
            config = dict.fromkeys(structure.conditions, SET)
            found = _listing(structure.bind_layer(kind, config, former).submodules)
            expected = _listing(structure.bind_layer(kind, config).submodules)
            yield from _compare("binding", f"the components of a {former} layer", expected, found)
    yield from _check_unknown(structure)


def _check_unknown(structure: Structure) -> Iterator[Finding]:
    """Of a layer whose kind cannot be told, the error names the layer and the kinds."""
    tables = structure.tables
    config = dict.fromkeys(structure.conditions, SET)
    told = sorted(kind for kind, table in tables.kinds.items() if not table.holds)
    calls: list[tuple[str, tuple[str, ...], list[str]]] = [("window", (), told)] * bool(told)
    says = told[0] if told else ""
    for attribute in ("slot", "path"):
        groups: dict[str, dict[str, str]] = {}
        for kind, table in tables.kinds.items():
            of = table.slot if attribute == "slot" else _hf_path(tables, kind, table.slot)
            groups.setdefault(of, {})[kind] = table.holds
        for of, kinds in groups.items():
            held = tuple(filter(None, kinds.values()))
            if attribute == "slot" and len(held) > 1:
                calls.append((says, held, list(kinds)))
            # The module is there, and nothing tells of which kind it is.
            if attribute == "path" and says not in kinds and of not in held:
                calls.append((says, (of,), list(kinds)))
    for says, holds, names in calls:
        pattern = rf"\.{LAYER}.*" + ".*".join(f"'{name}'" for name in names)
        try:
            structure.bind(says, holds, config)
        except ValueError as error:
            raised = str(error)
        else:
            raised = "nothing"
        if not re.search(pattern, raised):
            what = f"a layer of none or several of {', '.join(names)} is not refused"
            yield Finding("binding", what, pattern, raised, "mend the error of the block")


def check_cfg(structure: Structure) -> Iterator[Finding]:
    """Flags, kinds and dimensions on cfg: from a cfg that has all of them, and from a model."""
    tables, values = structure.tables, structure.values()
    source = {**structure.listed(), **values}
    expected = {**structure.all_values()}
    if tables.listed_in:
        expected[tables.listed_in] = list(tables.layers)
    for told, cfg in (
        (
            ("cfg of an adapter whose cfg has HF's fields", structure.adapter(**source).cfg),
            ("cfg of an adapter that is bound to a model", structure.bound_to(source)),
        )
        if source
        else ()
    ):
        found = {name: getattr(cfg, name, None) for name in expected}
        yield from _compare("cfg", told, expected, found, "cfg")
    found = {name: getattr(structure.adapter().cfg, name, None) for name in tables.flags}
    yield from _compare("cfg", "the flags of cfg", dict(tables.flags), found, "flag")
    # A dimension is unknown rather than guessed.
    for missing in values:
        known = {name: value for name, value in source.items() if name != missing}
        guessed = sorted(set(tables.derived) & vars(structure.adapter(**known).cfg).keys())
        if guessed:
            what = f"cfg has {', '.join(guessed)} without {missing}"
            yield Finding("cfg", what, "nothing", "a value", "derive it from what is there")


def check_names(structure: Structure) -> Iterator[Finding]:
    """Names of weights and components, translated to HF's and back."""
    tables = structure.tables
    paths: dict[str, set[str]] = {}
    slots: dict[str, set[str]] = {}
    for kind, table in tables.kinds.items():
        for name in tables.components_of(kind):
            paths.setdefault(name, set()).add(_hf_path(tables, kind, name))
        slots.setdefault(_hf_path(tables, kind, table.slot), set()).add(table.slot)
    if tables.kinds and all(len(found) == 1 for found in paths.values()):
        adapter = structure.adapter()
        for name, (path,) in paths.items():
            found = adapter.translate_transformer_lens_path(f"blocks.{LAYER}.{name}")
            expected = f"{tables.blocks}.{LAYER}.{path}"
            if found != expected:
                what = f"the path of blocks.{LAYER}.{name}"
                yield Finding("names", what, expected, str(found), "mend the slot or the path")
    if any(len(found) > 1 for found in slots.values()):
        yield from _check_ambiguous(structure)


def _check_ambiguous(structure: Structure) -> Iterator[Finding]:
    """Kinds of several slots have one path: the layer's number tells which slot it is."""
    tables = structure.tables
    adapter = structure.adapter(**structure.listed(), **structure.values())
    for layer, kind in enumerate(tables.layers):
        for name in tables.components_of(kind):
            # TransformerLens asks with its own names below the module that the slot takes.
            top, *below = name.split(".")
            hf_name = ".".join([_hf_path(tables, kind, top), *below, "weight"])
            found = adapter.convert_hf_key_to_tl_key(f"{tables.blocks}.{layer}.{hf_name}")
            if found != f"blocks.{layer}.{name}.weight":
                what = f"the name of the weight {tables.blocks}.{layer}.{hf_name}"
                expected = f"blocks.{layer}.{name}.weight"
                yield Finding("names", what, expected, str(found), "mend the slot of the kind")


CHECKS: dict[str, Check] = {
    "mapping": check_mapping,
    "binding": check_binding,
    "cfg": check_cfg,
    "names": check_names,
}


def _hf_path(tables: AdapterTables, kind: str, name: str) -> str:
    lines, parts = tables.components_of(kind), name.split(".")
    above = [".".join(parts[: end + 1]) for end in range(len(parts))]
    return ".".join(component(lines[one])[1] for one in above)


def _listing(components: Mapping[str, Any], deep: bool = True, prefix: str = "") -> dict[str, str]:
    lines = {}
    for name, one in components.items():
        lines[prefix + name] = f"{type(one).__name__} {one.name}"
        if deep:
            lines.update(_listing(one.submodules, deep, f"{prefix}{name}."))
    return lines


def _without_conditions(lines: Mapping[str, str]) -> dict[str, str]:
    return {name: line.partition(" if ")[0] for name, line in lines.items()}


def _is_there(lines: Mapping[str, str], name: str, config: Mapping[str, Any]) -> bool:
    """Whether a layer has a component, and all that is around it, with this config."""
    hf_config = SimpleNamespace(**config)
    around = (lines[path] for path in lines if f"{name}.".startswith(f"{path}."))
    return all(is_met(component(line)[2], hf_config) for line in around)


def _compare(
    check: str, what: str, expected: Mapping[str, Any], found: Mapping[str, Any], about: str = ""
) -> Iterator[Finding]:
    """A finding for each entry that is another, or on one side only."""
    for name in sorted(expected.keys() | found.keys()):
        if name not in expected or name not in found or expected[name] != found[name]:
            values = (str(expected.get(name, "nothing")), str(found.get(name, "nothing")))
            mend = "mend this line, or the adapter"
            yield Finding(
                check, f"{what}: {name}", *values, mend, about=(about, name) if about else ()
            )
