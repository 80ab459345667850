"""The modules of HF: whether they are there, called, and what they return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

from adaptergen.drift.arguments import compare_arguments
from adaptergen.drift.finding import Finding, Severity
from adaptergen.drift.side import Side
from adaptergen.drift.words import change, last, names
from adaptergen.lock.declared import outer_paths
from adaptergen.lock.entry import Module


def compare_modules(before: Side, after: Side) -> Iterator[Finding]:
    """Every module of the kinds that both have."""
    raised = before.raises.keys() | after.raises.keys()
    for kind in [name for name in after.modules if name in before.modules]:
        old, new = before.modules.get(kind, {}), after.modules.get(kind, {})
        moved = _moved(old, new)
        for path in sorted(old.keys() | new.keys()):
            if path in moved:
                what = f"the module is {change(path, moved[path])}"
                paths, hf = (path, moved[path]), new[moved[path]].cls
                yield Finding("path-renamed", "breaking", what, (kind,), (), paths, hf)
            elif path not in new:
                what = "HF has this module no more"
                yield _found("path-gone", "breaking", what, kind, path, old[path])
            elif path in old:
                pair = (_without(raised, old[path]), _without(raised, new[path]))
                yield from _compare(kind, path, *pair, after)
            elif path not in moved.values():
                yield _added(kind, path, new)


def _without(scenarios: Set[str], module: Module) -> Module:
    """The module as if there were no such scenarios: where HF raises it calls what it came to."""
    called = tuple(name for name in module.called if name not in scenarios)
    return module.model_copy(update={"called": called}) if scenarios else module


def _added(kind: str, path: str, modules: Mapping[str, Module]) -> Finding:
    """A module more: what it computes has no hooks, unless something around it is bound whole."""
    module = modules[path]
    what = f"HF has a module more, of {last(module.cls)}"
    outer = next((p for p in outer_paths(path) if p in modules and modules[p].component), None)
    whole = outer is not None and not any(
        inner.component and other.startswith(f"{outer}.") for other, inner in modules.items()
    )
    used = bool(module.parameters) and bool(module.called or module.used_by)
    if not used or whole:
        return Finding("path-new", "benign", what, (kind,), (), (path,), module.cls)
    what += ", which has weights and no hooks, since nothing is bound to it"
    return Finding("path-new", "silent", what, (kind,), (), (path,), module.cls)


def _found(
    code: str, severity: Severity, what: str, kind: str, path: str, module: Module, hf: str = ""
) -> Finding:
    """A change of a module is nothing to an adapter that does not bind it."""
    counts = severity if module.component else "benign"
    return Finding(code, counts, what, (kind,), (), (path,), hf or module.cls)


def _moved(old: dict[str, Module], new: dict[str, Module]) -> dict[str, str]:
    """Bound modules that are elsewhere now: of one class, with the same parameters."""
    gone = {path: module for path, module in old.items() if path not in new and module.component}
    added = {path: module for path, module in new.items() if path not in old}
    moved: dict[str, str] = {}
    for path, module in gone.items():
        alike = [
            other
            for other, found in added.items()
            if (last(found.cls), found.parameters) == (last(module.cls), module.parameters)
            and other not in moved.values()
        ]
        if len(alike) == 1:
            moved[path] = alike[0]
    return moved


def _compare(kind: str, path: str, old: Module, new: Module, after: Side) -> Iterator[Finding]:
    bound = new if new.component else old
    if bool(old.cls) != bool(new.cls):
        what = "HF leaves this module out now" if old.cls else "HF has this module now"
        severity: Severity = "breaking" if old.cls else "silent"
        yield _found("absent", severity, what, kind, path, bound, new.cls or old.cls)
        return
    if old.identity != new.identity:
        words = ("computes something now", "is an Identity now, so nothing is computed there")
        yield _found("identity", "silent", f"the module {words[new.identity]}", kind, path, bound)
        return
    if old.cls != new.cls:
        what = f"its class is {change(*_told_apart(old.cls, new.cls))}"
        yield Finding("module-class", "benign", what, (kind,), (), (path,), new.cls)
    yield from _calls(kind, path, old, new, bound, after.fires(kind, new.component))
    if old.returns != new.returns and old.returns and new.returns:
        what = f"it returns {change(old.returns, new.returns)}"
        yield _found("returns", "silent", what, kind, path, bound, new.cls)
    if old.takes and new.takes:
        for finding in compare_arguments(old, new, bool(after.error)):
            severity = finding.severity if bound.component else "benign"
            paths = (path, *finding.paths)
            yield replace(finding, severity=severity, kinds=(kind,), paths=paths)
    for name in sorted(old.parameters.keys() | new.parameters.keys()):
        shapes = old.parameters.get(name, ""), new.parameters.get(name, "")
        if shapes[0] != shapes[1]:
            what = f"its parameter {name} is {change(*shapes)}"
            yield _found("parameter", "silent", what, kind, path, bound, new.cls)
    if old.buffers != new.buffers:
        what = f"its buffers are {change(_shapes(old.buffers), _shapes(new.buffers))}"
        yield Finding("buffers", "benign", what, (kind,), (), (path,), new.cls)


def _shapes(buffers: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in buffers.items())


def _calls(
    kind: str, path: str, old: Module, new: Module, bound: Module, fires: bool
) -> Iterator[Finding]:
    if old.called and not new.called:
        users = f"; {names(new.used_by)} uses its weight" if new.used_by else ""
        dead = ", so that hooks on it are dead" if bound.component and not fires else ""
        what = f"HF does not call it any more{dead}{users}"
        code = "functional" if new.used_by else "not-called"
        user = new.used_by[0] if new.used_by else new.cls
        yield _found(code, "silent", what, kind, path, bound, user)
    elif new.called and not old.called:
        users = f"; {names(old.used_by)} used its weight before" if old.used_by else ""
        fire = ", so that hooks on it can fire" if bound.component else ""
        what = f"HF calls it now{fire}{users}"
        yield _found("called", "silent", what, kind, path, bound, new.cls)
    elif old.called != new.called:
        lost = sorted(set(old.called) - set(new.called))
        won = sorted(set(new.called) - set(old.called))
        parts = [f"no longer in {names(lost)}"] * bool(lost) + [f"in {names(won)} now"] * bool(won)
        users = f", where {names(new.used_by)} uses its weight" if lost and new.used_by else ""
        what = f"HF calls it {' and '.join(parts)}{users}"
        yield _found("called-in", "silent", what, kind, path, bound)
    elif new.called and set(new.used_by) - set(old.used_by):
        users = names([user for user in new.used_by if user not in old.used_by])
        what = f"{users} uses its weight now where HF does not call it: in other layers of the kind"
        yield _found("functional", "silent", what, kind, path, bound, new.used_by[0])
    elif old.used_by != new.used_by:
        users = f"{names(new.used_by) if new.used_by else 'nothing'} uses its weight now"
        what = f"{users}, {names(old.used_by) if old.used_by else 'nothing'} before"
        yield _found("used-by", "benign", what, kind, path, bound)


def _told_apart(old: str, new: str) -> tuple[str, str]:
    return (last(old), last(new)) if last(old) != last(new) else (old, new)
