"""What goes with an adapter that is replaced, item by item, and what serves instead."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adaptergen.catalogue import Catalogue
from adaptergen.edit.text import read
from adaptergen.export.draft import Draft
from adaptergen.export.observed import Observed, observe
from adaptergen.export.old import OldAdapter, read_old
from adaptergen.export.served import Tested, instead, tested, vocabulary
from adaptergen.export.upstream import REGISTRY_TEST, REGISTRY_TEST_CLASS
from adaptergen.export.users import users_of
from adaptergen.plan.model import HookRow, Plan
from adaptergen.problems import every
from adaptergen.prose import markdown

_NOTHING = "nothing"


@dataclass(frozen=True)
class Gone:
    """One item that goes: what it was, its name, and what serves instead."""

    what: str
    name: str
    instead: str


@dataclass(frozen=True)
class Replaced:
    """Everything that goes."""

    files: tuple[str, ...]
    gone: tuple[Gone, ...]
    unread: tuple[str, ...]
    """What the source does not tell: whether it was seen by running it, and if not, why."""
    users: tuple[str, ...] = ()
    """Files that stay and import from the module; they get the new one."""

    @property
    def lines(self) -> list[str]:
        """The report, one item a line."""
        shown = [f"replaced: {path}" for path in self.files]
        shown += [f"goes: {one.what} {one.name} -> {one.instead}" for one in self.gone]
        shown += self.unread
        return [*shown, *(f"uses the new one from now on: {user}" for user in self.users)]


def replaced(
    draft: Draft, spec: Path, plan: Plan, files: Mapping[str, bytes], olds: Mapping[str, bytes],
    catalogue: Catalogue,
) -> Replaced:  # fmt: skip
    """Compare the old files with those that take their place; `Failed` if others need the old.

    What reading the old adapter does not tell is seen by running it, where that can be done.
    """
    # Before anything is compared: all that stands in the way is told at once.
    trees = dict(zip(olds, every(lambda path: _tree(olds[path], path), olds), strict=True))
    module = next(iter(files))
    gone: list[Gone] = []
    unread: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    if module in olds:
        old = read_old(trees[module], plan.adapter_class, catalogue)
        new = read_old(_tree(files[module], module), plan.adapter_class, catalogue)
        users = users_of(draft, plan, old.names, old.names - new.names, files)
        seen = observe(draft.checkout.root, spec, olds[module]) if old.unread else Observed()
        gone += _hooks(plan, old, seen)
        before, after = {**seen.settings, **old.settings}, {**seen.instead, **new.settings}
        gone += _settings(plan, before, after, catalogue)
        gone += [
            Gone("member", name, "what the base class has" if name in catalogue.adapter_attributes
                 else _NOTHING)
            for name in sorted(old.members - new.members)
        ]  # fmt: skip
        gone += [Gone("name", name, _NOTHING) for name in sorted(old.names - new.names)]
        how = f"not seen either, {seen.failed}" if seen.failed else "seen by running it"
        unread = tuple(f"not told by the old source, {how}: {what}" for what in old.unread)
    tests = {path: tree for path, tree in trees.items() if path != module}
    gone += _tests(draft, plan, tests, files, catalogue)
    return Replaced(tuple(olds), tuple(gone), unread, users)


def _tree(data: bytes, path: str) -> ast.Module:
    return read(data, path).tree()


def _tests(
    draft: Draft, plan: Plan, olds: Mapping[str, ast.Module], files: Mapping[str, bytes],
    catalogue: Catalogue,
) -> Iterator[Gone]:  # fmt: skip
    known = vocabulary(plan, catalogue)
    new = {
        path: tested(_tree(data, path), known, followed=True)
        for path, data in files.items()
        if path.startswith("tests/")
    }
    registry = _tree(draft.read(REGISTRY_TEST) or b"", REGISTRY_TEST)
    registries = tested(registry, known, followed=True)
    staying = [one for one in registries if one.name.startswith(f"{REGISTRY_TEST_CLASS}::")]
    for path, tree in olds.items():
        kept = {one.name for one in new[path]}
        # Of the same file first: it runs in the same place.
        others: list[Tested] = [*new[path], *(one for name, tests in new.items() if name != path
                                              for one in tests), *staying]  # fmt: skip
        for one in tested(tree, known):
            if one.name not in kept:
                yield Gone("test", f"{path}::{one.name}", instead(one, others))


def _hooks(plan: Plan, old: OldAdapter, seen: Observed) -> Iterator[Gone]:
    offered = _names(plan.model_hooks)
    for name in sorted((old.model_hooks.keys() - offered) | seen.model):
        yield Gone("hook", f"`{name}`", _moved(name, offered) or _NOTHING)
    kinds: dict[tuple[str, str], list[str]] = {}
    for layer in _layers(plan):
        missing = seen.layers.get(layer.kind, frozenset())
        for name in sorted((old.layer_hooks.keys() - layer.offered) | missing):
            kinds.setdefault((name, _instead(name, layer, old)), []).append(layer.title)
    for (name, serves), titles in kinds.items():
        on = "layers" if len(titles) == len(plan.kinds) or not plan.kinds else ", ".join(titles)
        yield Gone(f"hook on {on}", f"`{name}`", serves)


@dataclass(frozen=True)
class _Layer:
    """What a layer of one kind offers; `told` is what the spec and its shapes say of the rest."""

    kind: str
    title: str
    offered: frozenset[str]
    slot: str = ""
    told: Mapping[str, str] = field(default_factory=dict)


def _instead(name: str, layer: _Layer, old: OldAdapter) -> str:
    twin = f"{layer.slot}.{name.partition('.')[2]}"
    if name in layer.told:
        return layer.told[name]
    if "." in name and twin in layer.offered:
        return f"`{twin}`"
    if old.layer_hooks.get(name):
        return "nothing; it was there only where Hugging Face has the module"
    return _moved(name, layer.offered) or _NOTHING


def _layers(plan: Plan) -> Iterator[_Layer]:
    if not plan.kinds:
        yield _Layer("layer", "layers", frozenset(_names(plan.layer_hooks)))
    for kind in plan.kinds:
        told = {name: f"nothing: {markdown(reason)}" for name, reason in kind.absent}
        for old, new in kind.gone:
            told[old] = f"`{new}`" if new else "nothing: no module of this kind does that"
        offered = frozenset(_names(kind.hooks))
        yield _Layer(kind.name, f"{kind.name} layers", offered, kind.slot, told)


def _moved(name: str, offered: Iterable[str]) -> str:
    """The one hook that ends alike, where the module around it only has another name."""
    tail = name.split(".", 1)[-1]
    found = [other for other in offered if "." in tail and other.split(".", 1)[-1] == tail]
    return f"`{found[0]}`" if len(found) == 1 else ""


def _names(rows: Iterable[HookRow]) -> set[str]:
    return {name for row in rows for name in (row.name, *row.aliases)}


def _settings(
    plan: Plan, old: Mapping[str, str], new: Mapping[str, str], catalogue: Catalogue
) -> Iterator[Gone]:
    config, kind = plan.spec.config, plan.spec.blocks.kind
    bound = {*config.from_hf, *config.derived, kind.listed_in if kind else ""}
    for name, value in sorted(old.items()):
        if name in bound:
            yield Gone("config attribute", f"{name} = {value}", "that of the wrapped model")
            continue
        known = catalogue.config_fields.get(name)
        if name not in new:
            default = known.default if known else None
            same = f"its default, {default}" if default is not None else "what Hugging Face says"
            yield Gone("config attribute", f"{name} = {value}", same if known else _NOTHING)
        elif new[name] != value:
            yield Gone("config attribute", f"{name} = {value}", f"{name} = {markdown(new[name])}")
