"""What a module is called with: arguments that have another name, or are others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adaptergen.drift.finding import Finding, Severity
from adaptergen.drift.words import change
from adaptergen.lock.entry import Module

#: Between two arguments, and not inside the shape of one.
_SEPARATOR = re.compile(r", (?=[a-z_0-9.]+ )")


def compare_arguments(old: Module, new: Module, broken: bool) -> Iterator[Finding]:
    """What is passed, in any order, and by any name where a decorator leaves none.

    `paths` of the findings are the names. A bridge may read an argument by its name, so another
    name counts where the adapter is broken.
    """
    before, after = (dict(_named(module.takes)) for module in (old, new))
    gone = {name: value for name, value in before.items() if name not in after}
    added = {name: value for name, value in after.items() if name not in before}
    _drop_unnamed(gone, added)
    _drop_unnamed(added, gone)
    for name, value in list(gone.items()):
        alike = [other for other, passed in added.items() if passed == value]
        if len(alike) == 1 and list(gone.values()).count(value) == 1:
            what = f"an argument is called {change(name, alike[0])}"
            severity: Severity = "silent" if broken else "benign"
            yield Finding("argument-renamed", severity, what, paths=(name, *alike), hf=new.cls)
            del gone[name], added[alike[0]]
    other = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    if gone or added or other:
        passed = [f"{name} {before[name]}" for name in before if name in {*gone, *other}]
        passes = [f"{name} {after[name]}" for name in after if name in {*added, *other}]
        what = f"it is called with {change(', '.join(passed), ', '.join(passes))}"
        yield Finding("takes", "benign", what, hf=new.cls)


def _drop_unnamed(these: dict[str, str], those: dict[str, str]) -> None:
    """Leave out arguments without a name, and of the others what they are."""
    for name in [name for name in these if name.startswith("args.")]:
        alike = [other for other, value in those.items() if value == these[name]]
        if alike:
            del these[name], those[alike[0]]


def _named(takes: str) -> Iterator[tuple[str, str]]:
    for argument in _SEPARATOR.split(takes):
        name, _, value = argument.partition(" ")
        yield name, value
