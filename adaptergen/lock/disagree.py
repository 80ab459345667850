"""Where a spec declares what its lock did not observe: problems for whoever builds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from difflib import get_close_matches

from adaptergen.lock.contracts import hold_hooks
from adaptergen.lock.declared import (
    contract_state,
    fires,
    hook_rows_of,
    nodes_of,
)
from adaptergen.lock.entry import OUTSIDE, Entry, Hook, Module
from adaptergen.lock.fields import Tell, fields_named, takes, values_given
from adaptergen.lock.found import Found, Make, at, everything, within
from adaptergen.lock.store import Lock
from adaptergen.lock.unmapped import unmapped
from adaptergen.plan.model import Plan
from adaptergen.plan.node import Location, Node
from adaptergen.problems import Problem, listing, quote, suggestion
from adaptergen.source.source import Source


def disagreements(plan: Plan, source: Callable[[], Source], lock: Lock) -> list[Problem]:
    """Every place where an entry of the lock shows another thing than the spec says.

    `source` reads the spec's file, which is needed only for a place in it.
    """
    found = Found()
    if plan.spec.architecture != lock.architecture:
        # What else differs is another model's.
        return [_of_another_class(plan, source(), lock.architecture)]
    lock = _that_counts(plan, lock)
    for name in lock.releases:
        entry, release = lock.entries[name], name.partition("/")[0]
        _model(plan, source, entry, release, found)
        _kinds(plan, source, entry, release, found)
        for kind in (OUTSIDE, *(kind for kind in entry.modules if kind != OUTSIDE)):
            _modules(nodes_of(plan, kind), kind, entry, release, found)
            if not entry.error:
                hold_hooks(hook_rows_of(plan, kind), kind, entry, release, found)
    _fields(plan, source, lock, found)
    _values(plan, source, lock, found)
    if not {key[0] for key in found.makers} & {"path", "layers", "kind"}:
        # What lies at a path that is written wrong would be told twice.
        unmapped(plan, source, lock, found)
    return found.problems()


def _that_counts(plan: Plan, lock: Lock) -> Lock:
    """The lock without releases that the spec does not claim; the newest always counts."""
    proved = plan.spec.verified_with.transformers
    entries = {
        name: entry
        for name, entry in lock.entries.items()
        if name == lock.newest or name.partition("/")[0] in proved
    }
    return replace(lock, entries=entries)


def _of_another_class(plan: Plan, source: Source, architecture: str) -> Problem:
    hint = "delete the lock, and run `adaptergen lock`"
    if get_close_matches(plan.spec.architecture, [architecture], cutoff=0.85):
        hint = f"did you mean {quote(architecture)}? If not, {hint}"
    message = f"the lock is of {quote(architecture)}"
    return source.problem("lock-class", message, hint, ("architecture",))


def _model(
    plan: Plan, source: Callable[[], Source], entry: Entry, release: str, found: Found
) -> None:
    for number, name in enumerate(plan.spec.config.from_hf):
        if entry.model.fields and name not in _known_fields(entry):
            message, hint = _no_field(entry, name)
            field_at = ("config", "from_hf", number)
            make = at(source, field_at, "lock-field", message, hint)
            found.add(("field", name), release, make)
    layers, path = entry.model.layers, _path_of_layers(plan)
    if layers and path and path != layers:
        message, loc = f"HF has its layers at {quote(layers)}", ("blocks", "path")
        make = at(source, loc, "lock-path", message, f"did you mean {quote(layers)}?")
        found.add(("layers", layers), release, make)
    states = sorted({name for kind in entry.kinds.values() for name in kind.states} - _ATTENTION)
    if bool(states) != bool(plan.spec.cache) and any(k.cache for k in entry.kinds.values()):
        cls = entry.model.cache.rpartition(".")[2]
        kept = listing(states) if states else "nothing but keys and values"
        message = f"the cache of HF, {quote(cls)}, keeps {kept}"
        hint = f"add `cache: {cls}`" if states else "delete it"
        make = at(source, ("cache",), "lock-cache", message, hint, key=True)
        found.add(("cache",), release, make)


#: What a cache keeps of attention, for which a spec names no cache.
_ATTENTION = frozenset({"keys", "values"})


def _path_of_layers(plan: Plan) -> str:
    path = plan.spec.blocks.path
    return path if isinstance(path, str) else ""


def _fields(plan: Plan, source: Callable[[], Source], lock: Lock, found: Found) -> None:
    """Fields that no release has: one that some lack may be named for the others."""
    known = {name for entry in lock.entries.values() for name in _known_fields(entry)}
    for number, (name, tell, others) in enumerate(fields_named(plan, source)):
        for release, entry in lock.entries.items():
            if entry.model.fields and name not in known:
                make = _field(tell, *_no_field(entry, name, others))
                found.add(("named", str(number)), release.partition("/")[0], make)


def _values(plan: Plan, source: Callable[[], Source], lock: Lock, found: Found) -> None:
    """Values that fields do not take."""
    for number, (name, value, tell) in enumerate(values_given(plan, source)):
        for release, entry in lock.entries.items():
            field = entry.config.get(name)
            if field and not takes(field, value):
                hint = f"its default is {field.default}" if field.default else "give it one"
                make = _value(tell, f"{quote(name)} takes {field.type}", hint)
                found.add(("value", str(number)), release.partition("/")[0], make)


def _value(tell: Tell, message: str, hint: str) -> Make:
    return lambda shown: tell("lock-value", f"{message} ({shown})", hint)


def _known_fields(entry: Entry) -> set[str]:
    return {*entry.model.fields, *entry.config}


def _no_field(entry: Entry, name: str, others: Set[str] = frozenset()) -> tuple[str, str]:
    message = f"the config of {entry.model.cls.rpartition('.')[2]} has no field {quote(name)}"
    return message, suggestion(name, _known_fields(entry) | others)


def _field(tell: Tell, message: str, hint: str) -> Make:
    return lambda shown: tell("lock-field", f"{message} ({shown})", hint)


def _kinds(
    plan: Plan, source: Callable[[], Source], entry: Entry, release: str, found: Found
) -> None:
    if plan.spec.blocks.kind is None:
        return
    words = {word: kind.name for kind in plan.kinds for word in (kind.name, *kind.formerly)}
    attribute = plan.spec.blocks.kind.attribute
    if entry.model.told_by and entry.model.told_by != attribute:
        message = f"{quote(attribute)} is not where the layers of the lock say what they are"
        hint = f"write {quote(entry.model.told_by)}, or run `adaptergen lock` if HF has another now"
        make = at(source, ("blocks", "kind", "attribute"), "lock-kind", message, hint)
        found.add(("told", attribute), release, make)
    for name, kind in entry.kinds.items():
        _held(plan, source, name, entry, release, found)
        if kind.word and kind.word not in words:
            message = f"HF calls layers {quote(kind.word)}, and no kind has that name"
            hint = f"name a kind {quote(kind.word)}, or put it into `formerly` of one"
            loc = ("blocks", "kinds")
            found.add(("kind", kind.word), release, at(source, loc, "lock-kind", message, hint))


def _held(
    plan: Plan, source: Callable[[], Source], name: str, entry: Entry, release: str, found: Found
) -> None:
    """The module by which the spec tells layers of a kind, which they have to have."""
    held = next((kind.has_submodule for kind in plan.kinds if kind.name == name), None)
    known = everything(entry, name)
    if held and known and held not in known:
        message = f"HF has no module {quote(held)} in these layers"
        loc, hint = ("blocks", "kinds", name, "has_submodule"), suggestion(held, known)
        make = at(source, loc, "lock-path", message, hint)
        found.add(("path", name, "has_submodule"), release, make)


def _modules(
    nodes: Mapping[str, Node], kind: str, entry: Entry, release: str, found: Found
) -> None:
    known = everything(entry, kind)
    for path, node in nodes.items():
        module = known.get(path)
        key = (node.file, str(node.line), path)
        if module is None and not _inside_missing(path, nodes, known):
            message = f"HF has no module {quote(path)} here"
            hint = suggestion(node.path, _below(path.removesuffix(node.path), known))
            place = _written(node.where, "path")
            found.add(("path", *key), release, within(place, "lock-path", message, hint))
        elif module and _is_dead(module, node, release, entry.hooks.get(kind, {})):
            users = listing(".".join(name.split(".")[-2:]) for name in module.used_by)
            message = f"HF never calls {quote(path)}, whose weight {users} uses: hooks are dead"
            taps = ", ".join(f"{node.key}.{hook.name}: ..." for hook in node.hooks)
            hint = f"add `taps: {{{taps}}}` to the component around it"
            make = within(node.where, "lock-uncalled", message, hint, key=True)
            found.add(("use", *key), release, make)


def _below(around: str, known: Iterable[str]) -> list[str]:
    """Paths below another, as they are written there."""
    return [name.removeprefix(around) for name in known if name.startswith(around) and name]


def _inside_missing(path: str, nodes: Mapping[str, Node], known: Mapping[str, Module]) -> bool:
    """Whether something around the path is missing itself, and told of."""
    around = path.rpartition(".")[0]
    while around:
        if around in nodes and around not in known:
            return True
        around = around.rpartition(".")[0]
    return False


def _is_dead(module: Module, node: Node, release: str, hooks: Mapping[str, Hook]) -> bool:
    """Whether a function uses the weight and hooks are declared to fire nevertheless.

    Where they were seen to fire, `forward` itself may be what uses it.
    """
    if module.called or not module.used_by or node.is_tapped:
        return False
    if fires(hooks, module.component):
        return False
    return any(contract_state(hook.contract, release) != "silent" for hook in node.hooks)


def _written(where: Location, key: str) -> Location:
    """Where the value of a key is written: here, or where a parameter gets it."""
    value = where.source.value((*where.loc, key))
    name = str(value.get("parameter")) if isinstance(value, dict) else ""
    return where.arguments[name].where if name in where.arguments else where.at(key)
