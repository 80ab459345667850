"""Mutants of a spec or shape: its data with one value that an author gets wrong.

A mutant is written as JSON, which is YAML too. Keys that only people read are left alone.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mutation import SLOTS, Mutant
from ruamel.yaml import YAML

#: What is read by people, or says only what things are called and where they are known to work.
NOT_RUN = frozenset(
    (
        "spec", "module", "name", "title", "description", "notes", "authors", "checkpoints",
        "proved_on", "verified_with", "tensor", "reason", "replaces",
    )
)  # fmt: skip
STATES = ("read_only", "no_gradient", "on_request", "silent", "silent_in_decode", "absent")
#: What is below a key is of this kind, unless it is of a nearer one.
_KINDS = {
    "path": "HF path", "component": "bridge class", "contract": "contract", "taps": "tap",
    "flags": "flag", "adapter": "flag", "derived": "arithmetic", "from_hf": "field",
    "aliases": "alias", "slot": "slot", "when": "condition", "unless": "condition",
    "kind": "kind", "formerly": "kind", "holds": "kind", "has_submodule": "kind",
    "with": "argument", "tiny": "tiny model", "heads": "dimension", "cache": "cache",
}  # fmt: skip
_OTHER_CONDITION = {"when": "unless", "unless": "when"}
Loc = tuple[str | int, ...]


def read(text: str) -> Any:
    """The data of a spec or shape."""
    return YAML(typ="safe").load(text)


def write(data: Any) -> str:
    """Data as a file that adaptergen reads."""
    return json.dumps(data, indent=1, ensure_ascii=False)


def yaml_mutants(file: str, text: str) -> list[Mutant]:
    """Every mutant of a spec or shape, in the order of the text."""
    data = read(text)
    seen, counts = {write(data)}, Counter[tuple[str, ...]]()
    found = []
    for operator, loc, before, change in _Edits(data).all():
        mutated = copy.deepcopy(data)
        after = change(mutated)
        source = write(mutated)
        if source in seen:
            continue
        seen.add(source)
        shown = [value if value is None else json.dumps(value) for value in (before, after)]
        key = (operator, ".".join(map(str, loc)), shown[0] or "", shown[1] or "")
        found.append(Mutant(*key, counts[(file, *key)], 1, source, file))
        counts[(file, *key)] += 1
    return found


Edit = tuple[str, Loc, Any, Callable[[Any], Any]]


class _Edits:
    """Finds the edits of one file. Each changes data in place, and returns what is there now."""

    def __init__(self, data: Any) -> None:
        self.data = data
        values = list(_scalars(data, ()))
        self.paths = self._named(values, "path")
        self.components = self._named(values, "component")
        self.shapes = self._named(values, "shape")
        self.axes = sorted({str(v) for loc, v in values if _is_axis(loc)})
        self.fields = self._named(values, "when", "unless")

    @staticmethod
    def _named(values: list[tuple[Loc, Any]], *keys: str) -> list[str]:
        return sorted({v for loc, v in values if loc[-1] in keys and isinstance(v, str)})

    def all(self) -> Iterator[Edit]:
        """Every edit; some may change nothing, or be refused."""
        yield from self._below(self.data, (), "entry")

    def _below(self, node: Any, loc: Loc, kind: str) -> Iterator[Edit]:
        entries: list[tuple[str | int, Any]] = []
        if isinstance(node, dict):
            entries = [(key, value) for key, value in node.items() if key not in NOT_RUN]
        elif isinstance(node, list):
            entries = list(enumerate(node))
            for index in range(len(node) - 1):
                yield "order", (*loc, index), None, _swap(loc, index)
        for key, value in entries:
            at, of = (*loc, key), _KINDS.get(str(key), kind)
            if _is_axis(at):
                of = "dimension"
            yield "entry dropped", at, value, _drop(at)
            if key in _OTHER_CONDITION:
                other = _OTHER_CONDITION[str(key)]
                yield "condition", at, key, _rename(at, other)
            if isinstance(value, (dict, list)):
                yield from self._below(value, at, of)
                continue
            for other in self._others(at, value, of):
                yield ("value" if of == "entry" else of), at, value, _set(at, other)

    def _others(self, loc: Loc, value: Any, kind: str) -> Iterator[Any]:
        """Other values of a scalar."""
        key = next((part for part in reversed(loc) if isinstance(part, str)), "")
        if isinstance(value, bool):
            yield not value
        elif isinstance(value, (int, float)):
            yield value + 1
        elif value is None:
            yield 16
        elif key == "path":
            yield _following(self.paths, value)
            yield value.rpartition(".")[0] or "modul"
        elif kind == "dimension":
            yield _following(self.axes, value)
            yield from _other_arithmetic(value)
        elif key == "component":
            yield "GeneralizedComponent"
            yield _following(self.components, value)
        elif key == "shape":
            yield _following(self.shapes, value)
        elif key == "slot":
            yield from SLOTS
        elif key == "is":
            yield from STATES
        elif kind == "condition":
            yield _following(self.fields, value)
            yield f"{value}x"
        elif kind == "arithmetic":
            yield from _other_arithmetic(value)
        else:
            yield from _other_arithmetic(value)
            yield f"{value}x"


def _scalars(node: Any, loc: Loc) -> Iterator[tuple[Loc, Any]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in entries:
        if isinstance(value, (dict, list)):
            yield from _scalars(value, (*loc, key))
        else:
            yield (*loc, key), value


def _is_axis(loc: Loc) -> bool:
    """Whether a value is an axis of a hook's shape."""
    return len(loc) > 1 and loc[-2] == "shape" and isinstance(loc[-1], int)


def _following(known: Sequence[str], value: Any) -> Any:
    """The value after this one, which is itself where there is only one."""
    return known[(known.index(value) + 1) % len(known)] if value in known else value


def _other_arithmetic(text: str) -> Iterator[str]:
    """Arithmetic with another operator, or without its last operand."""
    for sign, other in ((" * ", " + "), (" + ", " * "), (" - ", " + "), (" // ", " * ")):
        if sign in text:
            yield text.replace(sign, other, 1)
            yield text.rpartition(sign)[0].rstrip()
    if re.search(r"\d+", text) and " " in text:
        yield re.sub(r"\d+", lambda match: str(int(match[0]) + 1), text, count=1)


def _owner(data: Any, loc: Loc) -> Any:
    for part in loc:
        data = data[part]
    return data


def _set(loc: Loc, value: Any) -> Callable[[Any], Any]:
    def change(data: Any) -> Any:
        _owner(data, loc[:-1])[loc[-1]] = value
        return value

    return change


def _drop(loc: Loc) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        del _owner(data, loc[:-1])[loc[-1]]

    return change


def _rename(loc: Loc, name: str) -> Callable[[Any], Any]:
    def change(data: Any) -> Any:
        owner = _owner(data, loc[:-1])
        # In its place, for the order of keys may count.
        renamed = {name if key == loc[-1] else key: value for key, value in owner.items()}
        owner.clear()
        owner.update(renamed)
        return name

    return change


def _swap(loc: Loc, index: int) -> Callable[[Any], Any]:
    def change(data: Any) -> Any:
        owner = _owner(data, loc)
        owner[index], owner[index + 1] = owner[index + 1], owner[index]
        return owner

    return change
