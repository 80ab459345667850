"""From specs and a checkout to the draft of it, and to what goes if adapters are replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adaptergen import edit
from adaptergen.catalogue import Catalogue, committed_versions, load
from adaptergen.catalogue.abilities import ABILITIES
from adaptergen.catalogue.checkout import of_checkout
from adaptergen.export.checkout import Checkout
from adaptergen.export.draft import Draft
from adaptergen.export.registrations import quarantine, register
from adaptergen.export.replaced import Replaced, replaced
from adaptergen.export.shared import Shared, share
from adaptergen.export.upstream import CONTRIBUTED, PASSTHROUGH, PASSTHROUGH_FILE
from adaptergen.generate import plan, shown_as
from adaptergen.plan.model import Plan
from adaptergen.problems import Failed, Problem, SourceLocation, every, quote
from adaptergen.render.files import render_files


@dataclass(frozen=True)
class Adapter:
    """One spec in a checkout: its plan, its files there, and what goes for it."""

    plan: Plan
    files: tuple[str, ...]
    replaced: Replaced | None
    notes: tuple[str, ...]

    @property
    def module_file(self) -> str:
        """The file of the adapter."""
        return self.files[0]

    @property
    def tests(self) -> tuple[str, ...]:
        """The files of its tests."""
        return self.files[1:]


@dataclass(frozen=True)
class Export:
    """What a call makes of a checkout; nothing is written yet."""

    draft: Draft
    adapters: tuple[Adapter, ...]
    shared: Shared


def make_export(checkout: Checkout, specs: Sequence[Path], replacing: bool) -> Export:
    """Draft everything that the specs ask for; `Failed` with every problem found."""
    every(lambda path: edit.check(checkout.now(path) or b"", path), checkout.edited)
    catalogue = replace(of_checkout(checkout.root), sites=checkout.sites)
    draft = Draft(checkout)
    shared = share(draft)
    adapters = every(lambda spec: _adapter(spec, draft, catalogue, replacing), specs)
    return Export(draft, tuple(adapters), shared)


def _adapter(spec: Path, draft: Draft, catalogue: Catalogue, replacing: bool) -> Adapter:
    made = _planned(spec, catalogue)
    ours = _our_fields(draft, made.spec.title)
    if ours & set(catalogue.passthrough):
        # What an earlier export has added; the files are the same with and without it.
        passed = tuple(name for name in catalogue.passthrough if name not in ours)
        made = plan(spec, replace(catalogue, passthrough=passed))
    files = render_files(made, catalogue)
    contributed = {
        name: text.encode() for name, text in files.items() if name.startswith(CONTRIBUTED)
    }
    there = [name for name, data in contributed.items() if draft.read(name) not in (None, data)]
    old = _old_module(draft, catalogue, made, contributed)
    if (there or old) and not replacing:
        raise Failed([_exists(spec, made, there or [old])])
    olds = _olds(draft, contributed)
    gone = replaced(draft, spec, made, contributed, olds, catalogue) if olds else None
    for name, data in contributed.items():
        draft.put(name, data)
    registry = json.loads(files["registry.json"])
    notes = register(
        draft, registry, made.spec.title, list(made.spec.config.from_hf), bool(there or old)
    )
    checkpoint_test = next(
        name
        for name in contributed
        if name.startswith("tests/integration/") and name.endswith("_adapter.py")
    )
    model = made.spec.checkpoints[0].rpartition("/")[2]
    if not quarantine(draft, checkpoint_test, model, replacing):
        notes.append("this TransformerLens keeps no list of quarantined tests")
    notes += [
        f"TransformerLens {catalogue.tl_version} cannot {told}, so there is no test of it"
        for name, (_, told) in ABILITIES.items()
        if name not in catalogue.abilities
    ]
    return Adapter(made, tuple(contributed), gone, tuple(notes))


def _olds(draft: Draft, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that go: what was committed, or upstream's where ours was committed already."""
    olds: dict[str, bytes] = {}
    for path, data in files.items():
        old = draft.read(path)
        if old == data:
            old = draft.checkout.upstreams(path)
        if old is not None and old != data:
            olds[path] = old
    return olds


def _planned(spec: Path, catalogue: Catalogue) -> Plan:
    """The plan; what only other releases have is refused with the oldest that has all of it."""
    try:
        return plan(spec, catalogue)
    except Failed as failed:
        able = next((version for version in committed_versions() if _plans(spec, version)), None)
        if able is None:
            raise
        hint = f"export into TransformerLens {able}, the oldest known to have all that is needed"
        raise Failed(replace(problem, hint=hint) for problem in failed.problems) from failed


def _plans(spec: Path, version: str) -> bool:
    try:
        plan(spec, load(version)[0])
    except Failed:
        return False
    return True


def _our_fields(draft: Draft, title: str) -> set[str]:
    # As it lies there, which is what the catalogue was read from.
    data = draft.checkout.now(PASSTHROUGH_FILE)
    if data is None:
        return set()
    return set(edit.names_under(data, PASSTHROUGH_FILE, PASSTHROUGH, "list", title))


def _old_module(draft: Draft, catalogue: Catalogue, made: Plan, files: dict[str, bytes]) -> str:
    """The adapter that the architecture has under another name, if any."""
    registered = catalogue.adapters.get(made.spec.architecture, made.adapter_class)
    return "" if registered == made.adapter_class else registered


def _exists(spec: Path, made: Plan, there: Sequence[str]) -> Problem:
    return Problem(
        "adapter-exists",
        f"TransformerLens has an adapter for {quote(made.spec.architecture)}: {', '.join(there)}",
        "add --replace, and read what goes with the old one",
        SourceLocation(shown_as(spec)),
    )
