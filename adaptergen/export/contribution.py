"""What specs make of a checkout: adapters, their registrations, and what adapters share."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from adaptergen import runtime
from adaptergen.audit.registries import GAPS_FILE, without_gap
from adaptergen.catalogue.extract import of_checkout
from adaptergen.catalogue.model import Catalogue
from adaptergen.catalogue.settings import CAPABILITIES
from adaptergen.catalogue.store import committed_versions, load
from adaptergen.edit import entries
from adaptergen.edit.imports import add_import
from adaptergen.edit.rows import add_rows, add_table_row, set_number
from adaptergen.export.checkout import MODELS_FILE, PASSTHROUGH_FILE, Checkout, Draft
from adaptergen.export.replacement import replaced
from adaptergen.generate import plan, shown_as
from adaptergen.plan.model import Plan
from adaptergen.problems import Failed, Problem, SourceLocation, every, quote
from adaptergen.render.files import render_files
from adaptergen.render.templates import format_files

Registry = Mapping[str, Any]

#: What is contributed; the rest of what a build writes is for use beside TransformerLens.
_CONTRIBUTED = ("transformer_lens/", "tests/")
#: The list of config fields that reach an adapter.
_PASSTHROUGH = "_HF_PASSTHROUGH_ATTRS"
_QUARANTINES_FILE = "tests/QUARANTINES.md"
_QUARANTINES_HEADER = ("Path", "Model")
#: The comment in `ARCHITECTURE_DESCRIPTIONS` below which the supported ones stand.
_DESCRIPTIONS = "ARCHITECTURE_DESCRIPTIONS"
_DESCRIPTIONS_GROUP = "Supported architectures"
#: Where people may have written something else about an architecture; theirs stays.
_PROSE = frozenset({_DESCRIPTIONS, "CANONICAL_AUTHORS_BY_ARCH"})

#: Where components lie, those that adapters share among them.
COMPONENTS = "transformer_lens/model_bridge/generalized_components"
#: The package that the tests of adapters import.
CONTRACT = "tests/integration/model_bridge/adapter_contract"
_HEADER = "# What adapters made by adaptergen share, version {}."
_VERSION = re.compile(re.escape(_HEADER).replace(r"\{\}", r"(\d+)"))


@dataclass(frozen=True)
class Adapter:
    """One spec in a checkout: its plan, its files there."""

    plan: Plan
    files: tuple[str, ...]
    replaced: tuple[str, ...]
    """What is removed with an adapter that it replaces, and by what, one item a line."""
    notes: tuple[str, ...]

    @property
    def tests(self) -> tuple[str, ...]:
        """The files of its tests."""
        return self.files[1:]


@dataclass(frozen=True)
class SharedPart:
    """Files that adapters share and that are committed together, before the adapters."""

    title: str
    files: Mapping[str, str]
    """Path -> what it holds, as its docstring says."""
    news: Mapping[str, str]
    """Those that upstream has not, or not so: path -> `new` or `changed`."""
    updates: bool
    """Whether the checkout has an earlier version of it."""


@dataclass(frozen=True)
class Contribution:
    """What a call makes of a checkout; nothing is written yet."""

    draft: Draft
    adapters: tuple[Adapter, ...]
    shared: tuple[SharedPart, ...]
    """In the order of their commits."""
    notes: tuple[str, ...]


def make_contribution(checkout: Checkout, specs: Sequence[Path], replacing: bool) -> Contribution:
    """Draft everything that the specs ask for; `Failed` with every problem found."""
    every(lambda path: entries.check(checkout.now(path) or b"", path), checkout.edited)
    catalogue = replace(of_checkout(checkout.root), sites=checkout.sites)
    draft = Draft(checkout)
    shared, notes = _share(draft)
    adapters = every(lambda spec: _adapter(spec, draft, catalogue, replacing), specs)
    return Contribution(draft, tuple(adapters), shared, notes)


def _adapter(spec: Path, draft: Draft, catalogue: Catalogue, replacing: bool) -> Adapter:
    made = _planned(spec, catalogue)
    # As it lies there, which is what the catalogue was read from.
    data, title = draft.checkout.now(PASSTHROUGH_FILE), made.spec.title
    ours = entries.names_under(data, PASSTHROUGH_FILE, _PASSTHROUGH, "list", title) if data else ()
    if set(ours) & set(catalogue.passthrough):
        # What an earlier export has added; the files are the same with and without it.
        passed = tuple(name for name in catalogue.passthrough if name not in ours)
        made = plan(spec, replace(catalogue, passthrough=passed))
    files = render_files(made, catalogue)
    contributed = {
        name: text.encode() for name, text in files.items() if name.startswith(_CONTRIBUTED)
    }
    there = [name for name, data in contributed.items() if draft.read(name) not in (None, data)]
    registered = catalogue.adapters.get(made.spec.architecture, made.adapter_class)
    if registered != made.adapter_class:
        # The architecture has an adapter under another name.
        there = there or [registered]
    if there and not replacing:
        architecture = quote(made.spec.architecture)
        message = f"TransformerLens has an adapter for {architecture}: {', '.join(there)}"
        hint = "add --replace, and read what is removed with the old one"
        raise Failed([Problem("adapter-exists", message, hint, SourceLocation(shown_as(spec)))])
    former = _former(draft, contributed)
    olds = {path: old for path, old in former.items() if old is not None}
    gone = replaced(draft, spec, made, contributed, olds, catalogue) if olds else ()
    draft.files.update(contributed)
    notes = _register(draft, json.loads(files["registry.json"]), made, bool(there))
    checkpoint_test = next(
        name
        for name in contributed
        if name.startswith("tests/integration/") and name.endswith("_adapter.py")
    )
    if draft.read(_QUARANTINES_FILE) is None:
        notes.append("this TransformerLens keeps no list of quarantined tests")
    else:
        model = made.spec.checkpoints[0].rpartition("/")[2]
        _quarantine(draft, checkpoint_test, model, replacing)
    notes += [
        f"TransformerLens {catalogue.tl_version} cannot {told}, so there is no test of it"
        for name, (_, told) in CAPABILITIES.items()
        if name not in catalogue.capabilities
    ]
    return Adapter(made, tuple(contributed), gone, tuple(notes))


def _planned(spec: Path, catalogue: Catalogue) -> Plan:
    """The plan; what only other releases have is refused with the oldest that has all of it."""
    try:
        return plan(spec, catalogue)
    except Failed as failed:
        for version in committed_versions():
            try:
                plan(spec, load(version)[0])
            except Failed:
                continue
            oldest = "the oldest known to have all that is needed"
            hint = f"export into TransformerLens {version}, {oldest}"
            raise Failed(replace(one, hint=hint) for one in failed.problems) from failed
        raise


def _former(draft: Draft, files: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """What was in the place of those files that are not as they were; None if nothing was.

    As committed, or as upstream has the file where ours was committed already.
    """
    former: dict[str, bytes | None] = {}
    for path, data in files.items():
        old = draft.read(path)
        if old == data:
            old = draft.checkout.upstreams(path)
        if old != data:
            former[path] = old
    return former


def _register(draft: Draft, registry: Registry, made: Plan, replacing: bool) -> list[str]:
    """Make every edit that `registry.json` asks for; `Failed` with all that cannot be made.

    What people wrote about an architecture that is replaced stays; the result has a note of it.
    """
    kept: list[str] = []
    problems: list[Problem] = []

    def attempt(file: str, change: Callable[[bytes], bytes], prose: bool = False) -> None:
        try:
            draft.edit(file, change)
        except Failed as failed:
            if not (prose and {problem.code for problem in failed.problems} == {"entry-differs"}):
                problems.extend(failed.problems)
                return
            kept.extend(f"{file} keeps what it says: {one.message}" for one in failed.problems)

    for change in registry["edits"]:
        prose = replacing and change["container"] in _PROSE
        attempt(change["file"], partial(_edited, change, replacing), prose)
    for name in made.spec.config.from_hf:
        entry = entries.Entry(_PASSTHROUGH, "list", name, under=made.spec.title, heading=True)
        attempt(PASSTHROUGH_FILE, partial(entries.add, path=PASSTHROUGH_FILE, entry=entry))
    attempt(MODELS_FILE, partial(_with_models, rows=registry["supported_models"]["rows"]))
    if draft.read(GAPS_FILE) is not None:
        attempt(GAPS_FILE, partial(without_gap, architecture=registry["architecture"]))
    if problems:
        raise Failed(problems)
    return kept


def _edited(change: Registry, replacing: bool, data: bytes) -> bytes:
    file, container = change["file"], change["container"]
    if change["kind"] == "imports":
        return add_import(data, file, change["from"], change["name"])
    if change["kind"] != "dict":
        return entries.add(data, file, entries.Entry(container, change["kind"], change["entry"]))
    value = change["name"] if "name" in change else _json_as_python(change["value"])
    under = _DESCRIPTIONS_GROUP if container == _DESCRIPTIONS else ""
    entry = entries.Entry(container, "dict", change["key"], value, under)
    apply = entries.replace if replacing and container not in _PROSE else entries.add
    return apply(data, file, entry)


def _json_as_python(value: object) -> str:
    """Text, or a list of texts, as black writes it."""
    shown = json.dumps(value, ensure_ascii=False)
    return repr(value) if '\\"' in shown and "'" not in shown else shown


def _with_models(data: bytes, rows: Sequence[Registry]) -> bytes:
    """The list with the rows, and its totals counted anew, as upstream's tools do on writing it."""
    made = add_rows(data, MODELS_FILE, "models", ("architecture_id", "model_id"), rows)
    if made == data:
        return data
    models = json.loads(made)["models"]
    architectures = len({one.get("architecture_id") for one in models if isinstance(one, dict)})
    made = set_number(made, MODELS_FILE, "total_architectures", architectures)
    return set_number(made, MODELS_FILE, "total_models", len(models))


def _quarantine(draft: Draft, test: str, model: str, replacing: bool) -> None:
    """Enter a slow test in the list of what is not run."""
    source = (draft.read(test) or b"").decode().split("\n")
    line = next(number for number, text in enumerate(source, 1) if "pytest.mark.slow" in text)
    target = test.removeprefix("tests/")
    cells = (f"[`{target}`:{line}]({target})", model)
    draft.edit(
        _QUARANTINES_FILE,
        lambda data: add_table_row(
            data, _QUARANTINES_FILE, _QUARANTINES_HEADER, target, cells, replacing
        ),
    )


def _share(draft: Draft) -> tuple[tuple[SharedPart, ...], tuple[str, ...]]:
    """Draft what adapters share, and what there is to note; a newer version of it stays as it is.

    Raises `Failed` if upstream has files of other content by these names.
    """
    made = _shared_files()
    files = {path: data for part in made.values() for path, data in part.items()}
    found = {path: draft.read(path) for path in files}
    versions = {path: _version(data) for path, data in found.items() if data is not None}
    foreign = [path for path, version in versions.items() if version is None]
    if foreign:
        message = "TransformerLens has another file where adapters expect what they share"
        hint = "update adaptergen, or make a package: `adaptergen export SPEC --plugin DIR`"
        raise Failed(
            Problem("shared-taken", message, hint, SourceLocation(path)) for path in foreign
        )
    newest = max((version for version in versions.values() if version is not None), default=0)
    if newest > runtime.version():
        newer = f"version {newest} of what adapters share, newer than {runtime.version()}"
        return (), (f"the checkout has {newer} of this adaptergen, so it stays as it is",)
    notes = [
        f"{path} is not as adaptergen has it, and becomes so"
        for path, data in files.items()
        if versions.get(path) == runtime.version() and found[path] != data
    ]
    parts = [
        SharedPart(
            title,
            {path: _summary(data) for path, data in part.items()},
            {
                path: "new" if old is None else "changed"
                for path, old in _former(draft, part).items()
            },
            any(found[path] not in (None, data) for path, data in part.items()),
        )
        for title, part in made.items()
    ]
    draft.files.update(files)
    return tuple(parts), tuple(notes)


@cache
def _shared_files() -> Mapping[str, Mapping[str, bytes]]:
    """The files of each part, by its title, as upstream's formatters leave them."""
    header = _HEADER.format(runtime.version())
    components = {f"{COMPONENTS}/{name}.py": text for name, text in runtime.sources().items()}
    parts = {
        "the components that declared adapters share": components,
        "the contract that the tests of declared adapters check": runtime.contract(CONTRACT),
    }
    made: dict[str, dict[str, bytes]] = {}
    for title, files in parts.items():
        texts = format_files({path: f"{header}\n{text}" for path, text in files.items()})
        made[title] = {path: text.encode() for path, text in texts.items()}
    return made


def _version(data: bytes) -> int | None:
    """The version that a file states; None if it is not one of ours."""
    first = data.decode("utf-8", "replace").partition("\n")[0]
    stated = _VERSION.fullmatch(first.rstrip("\r"))
    return int(stated[1]) if stated else None


def _summary(data: bytes) -> str:
    docstring = ast.get_docstring(ast.parse(data)) or ""
    return " ".join(docstring.partition("\n\n")[0].split())
