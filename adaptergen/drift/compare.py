"""Two entries of a lock compared: every change once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adaptergen.drift.classes import compare_classes, compare_config
from adaptergen.drift.finding import Finding, united
from adaptergen.drift.hooks import compare_hooks
from adaptergen.drift.kinds import compare_kinds, renamed_kinds
from adaptergen.drift.modules import compare_modules
from adaptergen.drift.side import Side, sides
from adaptergen.drift.values import compare_logits, compare_values, same_layers
from adaptergen.lock.entry import Entry


def compare(old: Entry, new: Entry) -> list[Finding]:
    """What changed from one entry to the other; the worst first."""
    renamed = renamed_kinds(old, new)
    findings = [
        *_not_run(old, new),
        *compare_classes(old, new),
        *compare_config(old, new),
        *compare_kinds(old, new, renamed),
    ]
    told: set[str] = set()
    for name in ("", *sorted(old.branches.keys() & new.branches.keys())):
        before, after = sides(old, new, name, renamed)
        compared = list(_compare_sides(before, after))
        if same_layers(old, new, renamed) and before.weights == after.weights:
            compared += compare_values(old, new, renamed) if not name else ()
            compared += compare_logits(before, after, told, compared)
        elif not name:
            what = "weights are others, so what is computed with them was not compared"
            compared.append(Finding("values", "benign", what, ("model",)))
        for finding in compared:
            findings.append(replace(finding, branch=name, layers=_layers(new, finding)))
    return united(findings)


def _compare_sides(before: Side, after: Side) -> Iterator[Finding]:
    yield from _raised(before, after)
    yield from compare_modules(before, after)
    if not after.error and not before.error:
        yield from compare_hooks(before, after)


def _raised(before: Side, after: Side) -> Iterator[Finding]:
    for scenario in sorted(before.raises.keys() ^ after.raises.keys()):
        if scenario in after.raises:
            what = f"the forward raises in `{scenario}`: {after.raises[scenario]}"
            yield Finding("raises", "breaking", what, ("model",))
        else:
            what = f"the forward does not raise in `{scenario}` any more"
            yield Finding("raises", "benign", what, ("model",))


def _not_run(old: Entry, new: Entry) -> Iterator[Finding]:
    if new.error and new.error != old.error:
        what = f"the adapter cannot be used: {new.error}"
        yield Finding("not-run", "breaking", what, ("model",), hf=new.model.cls)


def _layers(entry: Entry, finding: Finding) -> tuple[int, ...]:
    kinds = [entry.kinds[kind] for kind in finding.kinds if kind in entry.kinds]
    return tuple(sorted({layer for kind in kinds for layer in kind.layers}))
