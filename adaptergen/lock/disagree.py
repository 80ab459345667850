"""Where a spec declares what its lock did not observe: problems for whoever builds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial

from adaptergen.lock.declared import (
    declared_state,
    fires,
    hook_rows_of,
    nodes_of,
    observed_state,
    outer_paths,
    sized,
    sizes_of,
)
from adaptergen.lock.entry import OUTSIDE, Entry, Field, Hook, Module
from adaptergen.lock.store import Lock
from adaptergen.plan.model import Plan
from adaptergen.plan.node import HookPoint, Location, Node
from adaptergen.problems import Loc, Problem, SourceLocation, listing, quote, suggestion
from adaptergen.spec.arithmetic import TOKEN_AXES

#: Makes a problem at a place out of a code, a message and a hint.
At = Callable[[str, str, str], Problem]

#: What a cache keeps of attention, for which a spec names no cache.
_ATTENTION = frozenset({"keys", "values"})

#: Lines in which a hook is described, at most.
_LINES = 8

_NAME = re.compile(r"[A-Za-z_]\w*")

_STATES = {
    "live": "live",
    "read_only": "read only",
    "silent": "silent",
    "silent_in_decode": "silent in decode steps",
}

#: The types of a field that take a value of some type, where it takes nothing but such.
_TAKEN_BY = {
    "bool": {"bool", "int", "float"},
    "int": {"int", "float"},
    "float": {"float"},
    "str": {"str"},
}


def disagreements(plan: Plan, lock: Lock) -> list[Problem]:
    """Every place where an entry of the lock shows another thing than the spec says.

    Of the releases, those that the spec claims count, and the newest.
    """
    wrong, right = plan.spec.architecture, lock.architecture
    if wrong != right:
        # What else differs is another model's.
        hint = "delete the lock, and run `adaptergen lock`"
        if get_close_matches(wrong, [right], cutoff=0.85):
            hint = f"did you mean {quote(right)}? If not, {hint}"
        message = f"the lock is of {quote(right)}"
        return [plan.at("architecture").problem("lock-class", message, hint)]
    verified = plan.spec.verified_with.transformers
    entries = {
        name: entry
        for name, entry in lock.entries.items()
        if name == lock.newest or name.partition("/")[0] in verified
    }
    return _Comparison(plan, replace(lock, entries=entries)).run()


@dataclass
class _Comparison:
    """A spec, its lock, and each problem found with the releases of transformers that show it."""

    plan: Plan
    lock: Lock
    found: dict[object, Problem] = field(default_factory=dict)
    shown_by: dict[object, list[str]] = field(default_factory=dict)

    def run(self) -> list[Problem]:
        for name in self.lock.releases:
            entry, release = self.lock.entries[name], name.partition("/")[0]
            self._check_model(entry, release)
            self._check_kinds(entry, release)
            for kind in (OUTSIDE, *(kind for kind in entry.modules if kind != OUTSIDE)):
                self._check_modules(kind, entry, release)
                if not entry.error:
                    self._check_hooks(kind, entry, release)
        self._check_fields()
        self._check_values()
        if not {problem.code for problem in self.found.values()} & {"lock-path", "lock-kind"}:
            # What lies at a path that is written wrong would be reported twice.
            self._check_unmapped()
        return [
            replace(one, message=f"{one.message} (transformers {', '.join(self.shown_by[key])})")
            for key, one in self.found.items()
        ]

    def add(self, release: str, problem: Problem, alike: str = "") -> None:
        """Note what a release shows; what is alike at one place, in any release, is one problem."""
        key = (problem.code, problem.location, alike or problem.message)
        self.found.setdefault(key, problem)
        releases, release = self.shown_by.setdefault(key, []), release.partition("/")[0]
        if release not in releases:
            releases.append(release)

    def in_spec(self, *loc: str | int, key: bool = False) -> At:
        """A place of the spec's file."""
        return partial(self.plan.at(*loc).problem, key=key)

    def _check_model(self, entry: Entry, release: str) -> None:
        for number, name in enumerate(self.plan.spec.config.from_hf):
            if entry.model.fields and name not in _known_fields(entry):
                at = self.in_spec("config", "from_hf", number)
                self.add(release, at("lock-field", *_no_field(entry, name)))
        layers, path = entry.model.layers, self.plan.spec.blocks.path
        if layers and path != layers and isinstance(path, str) and path:
            message = f"HF has its layers at {quote(layers)}"
            at = self.in_spec("blocks", "path")
            self.add(release, at("lock-path", message, f"did you mean {quote(layers)}?"))
        kinds = entry.kinds.values()
        states = sorted({name for kind in kinds for name in kind.states} - _ATTENTION)
        if bool(states) != bool(self.plan.spec.cache) and any(kind.cache for kind in kinds):
            cls = entry.model.cache.rpartition(".")[2]
            kept = listing(states) if states else "nothing but keys and values"
            message = f"the cache of HF, {quote(cls)}, keeps {kept}"
            hint = f"add `cache: {cls}`" if states else "delete it"
            at = self.in_spec("cache", key=True)
            self.add(release, at("lock-cache", message, hint))

    def _check_kinds(self, entry: Entry, release: str) -> None:
        spec = self.plan.spec.blocks.kind
        if spec is None:
            return
        if entry.model.told_by and entry.model.told_by != spec.attribute:
            message = (
                f"{quote(spec.attribute)} is not where the layers of the lock say what they are"
            )
            hint = f"write {quote(entry.model.told_by)}, or run `adaptergen lock` if HF changed it"
            at = self.in_spec("blocks", "kind", "attribute")
            self.add(release, at("lock-kind", message, hint))
        words = {word for kind in self.plan.kinds for word in (kind.name, *kind.formerly)}
        for name, kind in entry.kinds.items():
            known = _all_modules(entry, name)
            for one in self.plan.kinds_of(name):
                held = one.has_submodule
                if held and known and held not in known:
                    message = f"HF has no module {quote(held)} in these layers"
                    at = self.in_spec("blocks", "kinds", one.name, "has_submodule")
                    self.add(release, at("lock-path", message, suggestion(held, known)))
            if kind.word and kind.word not in words:
                message = f"HF calls layers {quote(kind.word)}, and no kind has that name"
                hint = f"name a kind {quote(kind.word)}, or put it into `formerly` of one"
                at = self.in_spec("blocks", "kinds")
                self.add(release, at("lock-kind", message, hint))

    def _check_modules(self, kind: str, entry: Entry, release: str) -> None:
        nodes, known = nodes_of(self.plan, kind), _all_modules(entry, kind)
        for path, node in nodes.items():
            module = known.get(path)
            if module is None:
                if any(outer in nodes and outer not in known for outer in outer_paths(path)):
                    continue
                message = f"HF has no module {quote(path)} here"
                around = path.removesuffix(node.path)
                below = {one.removeprefix(around) for one in known if one.startswith(around)}
                at = _written(node.where, "path").problem
                self.add(release, at("lock-path", message, suggestion(node.path, below - {""})))
            elif _is_dead(module, node, release, entry.hooks.get(kind, {})):
                users = listing(".".join(name.split(".")[-2:]) for name in module.used_by)
                message = f"HF never calls {quote(path)}, whose weight {users} uses: hooks are dead"
                taps = ", ".join(f"{node.key}.{hook.name}: ..." for hook in node.hooks)
                hint = f"add `taps: {{{taps}}}` to the component around it"
                at = partial(node.where.problem, key=True)
                self.add(release, at("lock-uncalled", message, hint))

    def _check_hooks(self, kind: str, entry: Entry, release: str) -> None:
        """Every hook that does or holds another thing than is declared."""
        sizes = sizes_of(entry)
        for name, row in hook_rows_of(self.plan, kind).items():
            tables = (entry.hooks, *(branch.hooks for branch in entry.branches.values()))
            hook = next((found for t in tables if (found := t.get(kind, {}).get(name))), None)
            if hook is None:
                continue
            at = partial(row.where.problem, key=True)
            stated, seen = declared_state(row.contract, release), observed_state(hook)
            if stated != seen:
                message = (
                    f"{quote(name)} is declared {_STATES[stated]}, and {_STATES[seen]} was observed"
                )
                hint = f"add `contract: {{is: {seen}, transformers: ..., reason: ...}}` here"
                if seen == "live":
                    hint = "delete its contract here, or name the releases in which it holds"
                self.add(release, at("lock-contract", message, hint), f"{stated}, {seen}")
            axes = f"[{', '.join(map(str, row.axes))}]"
            # A lock is of a plain run, in which a cache adds no positions.
            pair = [sized(text.replace("kv_pos", "pos"), sizes) for text in (axes, hook.shape)]
            if hook.shape and _differ(*pair):
                message = (
                    f"{quote(name)} is declared {quote(axes)}, and {quote(hook.shape)} was observed"
                )
                self.add(release, at("lock-shape", message, "fix `shape:` here"), "shape")

    def _check_fields(self) -> None:
        """Fields that no release has: one that some lack may be named for the others."""
        entries = self.lock.entries
        known = {name for entry in entries.values() for name in _known_fields(entry)}
        for name, at, others in self._fields_named():
            for release, entry in entries.items():
                if entry.model.fields and name not in known:
                    self.add(release, at("lock-field", *_no_field(entry, name, others)))

    def _fields_named(self) -> Iterator[tuple[str, At, frozenset[str]]]:
        """Names of fields, but those carried over, with what may stand there that is no field.

        Of the names of axes they are those that cfg does not have.
        """
        plan, nothing = self.plan, frozenset[str]()
        kind, tiny = plan.spec.blocks.kind, plan.spec.tiny
        if kind:
            yield kind.listed_in, self.in_spec("blocks", "kind", "listed_in"), nothing
        for name in tiny.config:
            yield name, self.in_spec("tiny", "config", name, key=True), nothing
        for branch, changes in tiny.branches.items():
            for name in changes:
                yield name, self.in_spec("tiny", "branches", branch, name, key=True), nothing
        for node in (node for top in plan.nodes for _, node in top.walk()):
            if node.condition:
                key = "when" if node.condition.holds else "unless"
                yield node.condition.field, node.where.at(key, "field").problem, nothing
            for hook in node.hooks:
                names = [name for axis in hook.axes for name in axis.names]
                for name in dict.fromkeys([*names, *([hook.when.field] if hook.when else [])]):
                    if name not in plan.cfg_fields and name not in TOKEN_AXES:
                        yield name, _in_hook(node, hook, name), plan.cfg_fields | TOKEN_AXES

    def _check_values(self) -> None:
        """Values of the tiny models that fields do not take."""
        tiny = self.plan.spec.tiny
        settings: dict[Loc, Mapping[str, object]] = {("tiny", "config"): tiny.config}
        settings |= {("tiny", "branches", name): given for name, given in tiny.branches.items()}
        for loc, given in settings.items():
            for name, value in given.items():
                for release, entry in self.lock.entries.items():
                    taken = entry.config.get(name)
                    if taken and not _takes(taken, value):
                        message = f"{quote(name)} takes {taken.type}"
                        hint = f"its default is {taken.default}" if taken.default else "give it one"
                        at = self.in_spec(*loc, name)
                        self.add(release, at("lock-value", message, hint))

    def _check_unmapped(self) -> None:
        """Modules with weights that HF runs and nothing is bound to: they would have no hooks."""
        for release in self.lock.releases:
            entry = self.lock.entries[release]
            for kind in entry.modules:
                nodes, known = nodes_of(self.plan, kind), _all_modules(entry, kind)
                # The layers are bound, each by itself.
                bound = [*nodes, self.plan.block.path] if kind == OUTSIDE else [*nodes]
                for path in dict.fromkeys(_topmost(path, bound) for path in _bare(known, nodes)):
                    inside = next((outer for outer in outer_paths(path) if outer in nodes), "")
                    cls = known[path].cls.rpartition(".")[2] if path in known else ""
                    of_hf = f"{quote(path)} of HF{f' ({cls})' if cls else ''}"
                    message = f"nothing is bound to {of_hf}: it would have no hooks"
                    relative = path.removeprefix(f"{inside}.")
                    hint = f"add a component with `path: {relative}` and a shape"
                    at = self.in_spec("components" if kind == OUTSIDE else "blocks", key=True)
                    if inside:
                        at = partial(nodes[inside].where.problem, key=True)
                    self.add(release, at("lock-unmapped", message, hint), path)


def _known_fields(entry: Entry) -> set[str]:
    return {*entry.model.fields, *entry.config}


def _no_field(entry: Entry, name: str, others: frozenset[str] = frozenset()) -> tuple[str, str]:
    message = f"the config of {entry.model.cls.rpartition('.')[2]} has no field {quote(name)}"
    return message, suggestion(name, _known_fields(entry) | others)


def _takes(taken: Field, value: object) -> bool:
    """Whether a field takes a value, as far as its type says; None says that nothing is given."""
    types = set(taken.type.split(" | "))
    if value is None or not types <= {*_TAKEN_BY, "None"}:
        return True
    return not types.isdisjoint(_TAKEN_BY.get(type(value).__name__, ()))


def _all_modules(entry: Entry, kind: str) -> dict[str, Module]:
    """Modules of a kind, whichever tiny model has them; one that is there before an empty place."""
    known = dict(entry.modules.get(kind, {}))
    for branch in entry.branches.values():
        for path, module in branch.modules.get(kind, {}).items():
            if path not in known or not known[path].cls:
                known[path] = module
    return known


def _is_dead(module: Module, node: Node, release: str, hooks: Mapping[str, Hook]) -> bool:
    """Whether a function uses the weight and hooks are declared to fire nevertheless.

    Where they were seen to fire, `forward` itself may be what uses it.
    """
    if module.called or not module.used_by or node.is_tapped or fires(hooks, module.component):
        return False
    return any(declared_state(hook.contract, release) != "silent" for hook in node.hooks)


def _bare(known: Mapping[str, Module], nodes: Mapping[str, Node]) -> Iterator[str]:
    """Paths of modules whose weights HF uses and nothing is bound to or around as a whole."""
    for path, module in known.items():
        if module.parameters and (module.called or module.used_by) and path not in nodes:
            outer = next((outer for outer in outer_paths(path) if outer in nodes), None)
            if outer is None or nodes[outer].submodules:
                yield path


def _topmost(path: str, bound: Iterable[str]) -> str:
    """The outermost of what is around a path, or the path itself, in which nothing is bound."""
    outside = {outer for name in bound for outer in (name, *outer_paths(name))}
    return next((outer for outer in reversed(outer_paths(path)) if outer not in outside), path)


def _differ(stated: list[str], seen: list[str]) -> bool:
    """Whether axes certainly differ: one with a name that no size is known of may be any."""
    return len(stated) != len(seen) or any(
        one != other and set(_NAME.findall(f"{one} {other}")) <= TOKEN_AXES
        for one, other in zip(stated, seen, strict=True)
    )


def _in_hook(node: Node, hook: HookPoint, name: str) -> At:
    """Where a name stands in a hook, or else where a parameter of its shape is filled in."""

    def problem(code: str, message: str, hint: str) -> Problem:
        word = re.compile(rf"\b{re.escape(name)}\b")
        first, lines = hook.where.line, hook.where.source.lines
        for line, text in enumerate(lines[first - 1 : first - 1 + _LINES], start=first):
            found = word.search(text)
            if found:
                place = SourceLocation(hook.where.file, line, found.start() + 1, len(name))
                return Problem(code, message, hint, place, text)
        return _argument(node.where, word).problem(code, message, hint)

    return problem


def _argument(where: Location, word: re.Pattern[str]) -> Location:
    passed = where.source.value((*where.loc, "with"))
    for key, value in passed.items() if isinstance(passed, dict) else ():
        if word.search(str(value)):
            return where.at("with", key)
    around = (given.where for given in where.arguments.values() if word.search(str(given.value)))
    return next(around, where)


def _written(where: Location, key: str) -> Location:
    """Where the value of a key is written: here, or where a parameter gets it."""
    value = where.source.value((*where.loc, key))
    name = str(value.get("parameter")) if isinstance(value, dict) else ""
    return where.arguments[name].where if name in where.arguments else where.at(key)
