"""The fields of the HF config that a spec or a shape names, and where."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Iterator, Mapping

from adaptergen.lock.entry import Field
from adaptergen.plan.model import Plan
from adaptergen.plan.node import HookPoint, Location, Node
from adaptergen.problems import Loc, Problem, SourceLocation
from adaptergen.source.source import Source
from adaptergen.spec.arithmetic import TOKEN_AXES

#: Makes a problem at a place out of a code, a message and a hint.
Tell = Callable[[str, str, str], Problem]

#: The axes that the input has, not the model.
#: Lines in which a hook is described, at most.
_LINES = 8


#: What may stand there that is no field of the HF config.
Others = frozenset[str]


def fields_named(plan: Plan, source: Callable[[], Source]) -> Iterator[tuple[str, Tell, Others]]:
    """Names of fields, apart from those that are carried over; axes by what cfg does not have."""
    told, tiny, none = plan.spec.blocks.kind, plan.spec.tiny, frozenset[str]()
    if told:
        yield told.listed_in, _in_spec(source, ("blocks", "kind", "listed_in"), False), none
    for name in tiny.config:
        yield name, _in_spec(source, ("tiny", "config", name), True), none
    for branch, changes in tiny.branches.items():
        for name in changes:
            yield name, _in_spec(source, ("tiny", "branches", branch, name), True), none
    for top in plan.nodes:
        for _, node in top.walk():
            yield from _of_node(node, plan)


#: The types of a field that take a value of some type, where it takes nothing but such.
_TAKEN_BY = {
    "bool": {"bool", "int", "float"},
    "int": {"int", "float"},
    "float": {"float"},
    "str": {"str"},
}


def values_given(plan: Plan, source: Callable[[], Source]) -> Iterator[tuple[str, object, Tell]]:
    """What the tiny models are made with: fields with their values, and where each value stands."""
    tiny = plan.spec.tiny
    settings: dict[Loc, Mapping[str, object]] = {("tiny", "config"): tiny.config}
    settings |= {("tiny", "branches", name): given for name, given in tiny.branches.items()}
    for loc, given in settings.items():
        for name, value in given.items():
            yield name, value, _in_spec(source, (*loc, name), False)


def takes(field: Field, value: object) -> bool:
    """Whether a field takes a value, as far as its type tells; None says that nothing is given."""
    types = set(field.type.split(" | "))
    if value is None or not types <= {*_TAKEN_BY, "None"}:
        return True
    return not types.isdisjoint(_TAKEN_BY.get(type(value).__name__, ()))


def _of_node(node: Node, plan: Plan) -> Iterator[tuple[str, Tell, Others]]:
    if node.condition:
        key = "when" if node.condition.is_set else "unless"
        yield node.condition.field, node.where.at(key).problem, frozenset()
    for hook in node.hooks:
        names = [name for axis in hook.axes for name in axis.names]
        for name in dict.fromkeys([*names, *([hook.when] if hook.when else [])]):
            if name not in plan.cfg_fields and name not in TOKEN_AXES:
                yield name, _of_hook(node, hook, name), plan.cfg_fields | TOKEN_AXES


def _in_spec(source: Callable[[], Source], loc: tuple[str | int, ...], key: bool) -> Tell:
    return lambda code, message, hint: source().problem(code, message, hint, loc, key)


def _of_hook(node: Node, hook: HookPoint, name: str) -> Tell:
    """Where the hook is described, or else where a parameter of its shape is filled in."""

    def tell(code: str, message: str, hint: str) -> Problem:
        word = re.compile(rf"\b{re.escape(name)}\b")
        linecache.checkcache(hook.file)
        for line in range(hook.line, hook.line + _LINES):
            text = linecache.getline(hook.file, line).rstrip("\n")
            found = word.search(text)
            if found:
                place = SourceLocation(hook.file, line, found.start() + 1, len(name))
                return Problem(code, message, hint, place, text)
        return _argument(node.where, word).problem(code, message, hint)

    return tell


def _argument(where: Location, word: re.Pattern[str]) -> Location:
    passed = where.source.value((*where.loc, "with"))
    for key, value in passed.items() if isinstance(passed, dict) else ():
        if word.search(str(value)):
            return where.at("with", key)
    around = [given.where for given in where.arguments.values() if word.search(str(given.value))]
    return around[0] if around else where
