"""One tiny model in two releases, and the modules of HF in it.

Whether they are there, called, what they take and what they return.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import TypeVar

from adaptergen.drift.report import change, last, names
from adaptergen.lock.declared import fires, outer_paths, sizes_of
from adaptergen.lock.entry import Entry, Hook, Logits, Module
from adaptergen.records import DriftFinding as Finding
from adaptergen.records import Severity

Item = TypeVar("Item")
ByKind = Mapping[str, Mapping[str, Item]]

#: Between two arguments, and not inside the shape of one.
_SEPARATOR = re.compile(r", (?=[a-z_0-9.]+ )")


@dataclass(frozen=True)
class Side:
    """One tiny model of one of two entries that are compared.

    It has modules and hooks by kind, HF's logits by run, the sizes that names have, the scenarios
    in which HF raises, and why there may be no hooks. `others` are hooks that another tiny model
    was asked for, which do here what they do there.
    """

    modules: ByKind[Module]
    hooks: ByKind[Hook]
    logits: Mapping[str, Logits]
    sizes: Mapping[str, int]
    raises: Mapping[str, str]
    error: str
    others: ByKind[Hook] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: Entry, branch: str, renamed: Mapping[str, str] | None = None) -> Side:
        """The tiny model of a branch, or the first; kinds by the names that the newer entry has."""
        sizes = sizes_of(entry)
        if not branch:
            modules, hooks = _renamed(entry.modules, renamed), _renamed(entry.hooks, renamed)
            return cls(modules, hooks, entry.logits, sizes, entry.raises, entry.error)
        apart = entry.branches[branch]
        modules = {}
        for kind in {**entry.modules, **apart.modules}:
            found = {**entry.modules.get(kind, {}), **apart.modules.get(kind, {})}
            lacks = apart.lacks.get(kind, ())
            modules[kind] = {path: module for path, module in found.items() if path not in lacks}
        return cls(
            _renamed(modules, renamed),
            _renamed(apart.hooks, renamed),
            apart.logits,
            sizes,
            apart.raises,
            entry.error or apart.error,
            _renamed(entry.hooks, renamed),
        )

    def fires(self, kind: str, component: str) -> bool:
        """Whether a hook of a component fires, by the component's dotted name, if it has one."""
        return any(fires(hooks.get(kind, {}), component) for hooks in (self.hooks, self.others))

    @property
    def weights(self) -> dict[str, dict[str, dict[str, str]]]:
        """The shapes of all weights, by kind, module and name: all that their numbers rest on."""
        return {
            kind: {path: m.parameters for path, m in modules.items() if m.parameters}
            for kind, modules in self.modules.items()
        }


def _renamed(by_kind: ByKind[Item], renamed: Mapping[str, str] | None) -> ByKind[Item]:
    return {(renamed or {}).get(kind, kind): found for kind, found in by_kind.items()}


def compare_modules(before: Side, after: Side) -> Iterator[Finding]:
    """Every module of the kinds that both have."""
    raised = before.raises.keys() | after.raises.keys()
    for kind in [name for name in after.modules if name in before.modules]:
        old, new = before.modules[kind], after.modules[kind]
        moved = _moved(old, new)
        for path in sorted(old.keys() | new.keys()):
            if path in moved:
                what = f"the path of the module {change(path, moved[path])}"
                paths, hf = (path, moved[path]), new[moved[path]].cls
                yield Finding("path-renamed", "breaking", what, (kind,), (), paths, hf)
            elif path not in new:
                yield _found("path-gone", "breaking", "module removed", kind, path, old[path])
            elif path in old:
                pair = (_without(raised, old[path]), _without(raised, new[path]))
                yield from _compare(kind, path, *pair, after)
            elif path not in moved.values():
                yield _added(kind, path, new)


def _moved(old: Mapping[str, Module], new: Mapping[str, Module]) -> dict[str, str]:
    """Bound modules that are elsewhere now: of one class, with the same parameters."""
    added = {path: module for path, module in new.items() if path not in old}
    moved: dict[str, str] = {}
    for path, module in old.items():
        if path in new or not module.component:
            continue
        alike = [
            other
            for other, found in added.items()
            if (last(found.cls), found.parameters) == (last(module.cls), module.parameters)
            and other not in moved.values()
        ]
        if len(alike) == 1:
            moved[path] = alike[0]
    return moved


def _without(scenarios: Set[str], module: Module) -> Module:
    """The module as if there were no such scenarios: where HF raises it calls what it came to."""
    called = tuple(name for name in module.called if name not in scenarios)
    return module.model_copy(update={"called": called}) if scenarios else module


def _added(kind: str, path: str, modules: Mapping[str, Module]) -> Finding:
    """A new module: what it computes has no hooks, unless something around it is bound whole."""
    module = modules[path]
    what = f"module added, of {last(module.cls)}"
    outer = next((p for p in outer_paths(path) if p in modules and modules[p].component), None)
    whole = outer is not None and not any(
        inner.component and other.startswith(f"{outer}.") for other, inner in modules.items()
    )
    severity: Severity = "benign"
    if module.parameters and (module.called or module.used_by) and not whole:
        severity = "silent"
        what += ", which has weights and no hooks, since nothing is bound to it"
    return Finding("path-new", severity, what, (kind,), (), (path,), module.cls)


def _found(
    code: str, severity: Severity, what: str, kind: str, path: str, module: Module, hf: str = ""
) -> Finding:
    """A change of a module is nothing to an adapter that does not bind it."""
    counts = severity if module.component else "benign"
    return Finding(code, counts, what, (kind,), (), (path,), hf or module.cls)


def _compare(kind: str, path: str, old: Module, new: Module, after: Side) -> Iterator[Finding]:
    bound = new if new.component else old
    if bool(old.cls) != bool(new.cls):
        what = "HF now leaves this module out" if old.cls else "HF now has this module"
        severity: Severity = "breaking" if old.cls else "silent"
        yield _found("absent", severity, what, kind, path, bound, new.cls or old.cls)
        return
    if old.identity != new.identity:
        words = ("now computes something", "is now an Identity, so nothing is computed there")
        yield _found("identity", "silent", f"the module {words[new.identity]}", kind, path, bound)
        return
    if old.cls != new.cls:
        full = last(old.cls) == last(new.cls)
        classes = (old.cls, new.cls) if full else (last(old.cls), last(new.cls))
        what = f"its class {change(*classes)}"
        yield Finding("module-class", "benign", what, (kind,), (), (path,), new.cls)
    yield from _compare_calls(kind, path, old, new, bound, after.fires(kind, new.component))
    if old.returns != new.returns and old.returns and new.returns:
        what = f"its result {change(old.returns, new.returns)}"
        yield _found("returns", "silent", what, kind, path, bound, new.cls)
    if old.takes and new.takes:
        for finding in _compare_arguments(old, new, bool(after.error)):
            severity = finding.severity if bound.component else "benign"
            paths = (path, *finding.paths)
            yield replace(finding, severity=severity, kinds=(kind,), paths=paths)
    for name in sorted(old.parameters.keys() | new.parameters.keys()):
        shapes = old.parameters.get(name, ""), new.parameters.get(name, "")
        if shapes[0] != shapes[1]:
            what = f"its parameter {name} {change(*shapes)}"
            yield _found("parameter", "silent", what, kind, path, bound, new.cls)
    if old.buffers != new.buffers:
        buffers = (", ".join(map(" ".join, m.buffers.items())) for m in (old, new))
        what = f"its buffers {change(*buffers)}"
        yield Finding("buffers", "benign", what, (kind,), (), (path,), new.cls)


def _compare_calls(
    kind: str, path: str, old: Module, new: Module, bound: Module, fires: bool
) -> Iterator[Finding]:
    if old.called and not new.called:
        users = f"; {names(new.used_by)} uses its weight" if new.used_by else ""
        dead = ", so that hooks on it are dead" if bound.component and not fires else ""
        code = "functional" if new.used_by else "not-called"
        user = new.used_by[0] if new.used_by else new.cls
        what = f"HF no longer calls it{dead}{users}"
        yield _found(code, "silent", what, kind, path, bound, user)
    elif new.called and not old.called:
        users = f"; {names(old.used_by)} used its weight before" if old.used_by else ""
        fire = ", so that hooks on it can fire" if bound.component else ""
        yield _found(
            "called", "silent", f"HF calls it now{fire}{users}", kind, path, bound, new.cls
        )
    elif old.called != new.called:
        lost = sorted(set(old.called) - set(new.called))
        won = sorted(set(new.called) - set(old.called))
        parts = [f"no longer in {names(lost)}"] if lost else []
        parts += [f"now in {names(won)}"] if won else []
        users = f", where {names(new.used_by)} uses its weight" if lost and new.used_by else ""
        what = f"HF calls it {' and '.join(parts)}{users}"
        yield _found("called-in", "silent", what, kind, path, bound)
    elif new.called and set(new.used_by) - set(old.used_by):
        users = names([user for user in new.used_by if user not in old.used_by])
        what = f"{users} uses its weight now where HF does not call it: in other layers of the kind"
        yield _found("functional", "silent", what, kind, path, bound, new.used_by[0])
    elif old.used_by != new.used_by:
        users = " to ".join(names(m.used_by) if m.used_by else "nothing" for m in (old, new))
        what = f"what uses its weight changed from {users}"
        yield _found("used-by", "benign", what, kind, path, bound)


def _compare_arguments(old: Module, new: Module, broken: bool) -> Iterator[Finding]:
    """What is passed, in any order, and by any name where a decorator leaves none.

    `paths` of the findings are the names. A bridge may read an argument by its name, so another
    name counts where the adapter is broken.
    """
    before, after = (
        {name: value for name, _, value in (a.partition(" ") for a in _SEPARATOR.split(m.takes))}
        for m in (old, new)
    )
    gone = {name: value for name, value in before.items() if name not in after}
    added = {name: value for name, value in after.items() if name not in before}
    _drop_unnamed(gone, added)
    _drop_unnamed(added, gone)
    for name, value in list(gone.items()):
        alike = [other for other, passed in added.items() if passed == value]
        if len(alike) == 1 and list(gone.values()).count(value) == 1:
            what = f"the name of an argument {change(name, alike[0])}"
            severity: Severity = "silent" if broken else "benign"
            yield Finding("argument-renamed", severity, what, paths=(name, *alike), hf=new.cls)
            del gone[name], added[alike[0]]
    other = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    if gone or added or other:
        passed = [f"{name} {before[name]}" for name in before if name in {*gone, *other}]
        passes = [f"{name} {after[name]}" for name in after if name in {*added, *other}]
        what = f"its arguments {change(', '.join(passed), ', '.join(passes))}"
        yield Finding("takes", "benign", what, hf=new.cls)


def _drop_unnamed(these: dict[str, str], those: dict[str, str]) -> None:
    """Leave out arguments without a name, and of the others what they are."""
    for name in [name for name in these if name.startswith("args.")]:
        alike = [other for other, value in those.items() if value == these[name]]
        if alike:
            del these[name], those[alike[0]]
