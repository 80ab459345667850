"""Which hooks there are, which fire in a plain run, with which shapes, and their other names."""

from __future__ import annotations

from typing import Any

from adaptergen.verify.findings import MODEL, Finding, Spot
from adaptergen.verify.owner import mend_of_shape, owner
from adaptergen.verify.promises import by_name
from adaptergen.verify.subject import Subject


def check_offered(subject: Subject) -> None:
    """Every hook that is declared is there, no other is, and the aliases lead where they shall."""
    promised = by_name(subject.promised)
    names = subject.bridge.hook_dict
    there = {point.name for point in names.values()}
    subject.sheet.count("hooks", len(there))
    for name in sorted(there - promised.keys()):
        layer, kind, hook = split(subject, name)
        subject.sheet.of_kind(kind).undeclared.add(hook)
        around = owner(subject, kind, hook)
        subject.find(
            Finding(
                "hooks",
                f"the hook {hook} is offered and not declared",
                "not offered",
                "offered",
                "describe it under hooks, or take it off with `contract: {is: absent, ...}`",
                Spot.of(around, layer, kind, hook),
            )
        )
    for name in sorted(promised.keys() - there):
        what = f"the hook {promised[name].row.name} is declared and not offered"
        mend = "delete it here, or say when it is there"
        subject.find(promised[name].finding("hooks", what, "offered", "not offered", mend))
    _check_aliases(subject, {name: point.name for name, point in names.items()})


def check_fired(subject: Subject, cache: Any, batch: int, pos: int) -> None:
    """What a plain run over `[batch, pos]` tokens fired, and the shapes of it."""
    fired, offered = cache.cache_dict, subject.bridge.hook_dict
    for promise in subject.promised:
        hook, counts = promise.row.name, subject.sheet.of_kind(promise.kind)
        if promise.name not in fired:
            counts.silent.add(hook)
            # One that is not offered has its finding already.
            if promise.fires and promise.name in offered:
                mend = "say `is: silent` or `is: absent` with the reason, or mend the path"
                what = f"the hook {hook} does not fire in a plain run"
                subject.find(promise.finding("hooks", what, "fires", "silent", mend))
            continue
        counts.fired.add(hook)
        if not promise.fires:
            what = f"the hook {hook} fires in a plain run"
            mend = "delete the contract here, or the releases in which it holds"
            subject.find(promise.finding("hooks", what, promise.state, "fires", mend))
        expected, measured = subject.shape(promise, batch, pos), tuple(fired[promise.name].shape)
        subject.sheet.count("shapes")
        if measured != expected:
            axes = ", ".join(map(str, promise.row.axes))
            what = f"the hook {hook} has not the shape [{axes}]"
            mend = mend_of_shape(
                subject, promise.kind, promise.row.name, promise.row.file, None in expected
            )
            subject.find(promise.finding("shapes", what, f"{expected}", f"{measured}", mend))


def split(subject: Subject, name: str) -> tuple[int | None, str, str]:
    """Layer, kind and name within the layer of a hook's full name."""
    if not name.startswith("blocks."):
        return None, MODEL, name
    _, layer, hook = name.split(".", 2)
    return int(layer), subject.kinds[int(layer)], hook


def _check_aliases(subject: Subject, targets: dict[str, str]) -> None:
    measured = {name: target for name, target in targets.items() if name != target}
    promised = by_name(subject.promised)
    expected = {
        alias if promise.layer is None else f"blocks.{promise.layer}.{alias}": promise.name
        for promise in subject.promised
        for alias in promise.row.aliases
    }
    subject.sheet.count("aliases", len(expected))
    for alias in sorted(expected.keys() | measured.keys()):
        wanted, found = expected.get(alias), measured.get(alias)
        if wanted == found:
            continue
        layer, kind, hook = split(subject, alias)
        row = promised[wanted].row if wanted else None
        subject.find(
            Finding(
                "aliases",
                f"the name {hook} does not lead where it is promised to",
                wanted or "nothing",
                found or "nothing",
                "mend aliases of the shape",
                Spot.of(row or owner(subject, kind, hook), layer, kind, hook),
            )
        )
