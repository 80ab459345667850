"""What registers an adapter: the entries of registries, rows and lists, as edits of a draft."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from adaptergen.audit.gaps import GAPS, without
from adaptergen.edit import (
    Entry,
    add,
    add_import,
    add_rows,
    add_table_row,
    replace,
    set_number,
)
from adaptergen.export.draft import Draft
from adaptergen.export.upstream import (
    DESCRIPTIONS,
    DESCRIPTIONS_GROUP,
    MODELS_FILE,
    PASSTHROUGH,
    PASSTHROUGH_FILE,
    PROSE,
    QUARANTINES_FILE,
    QUARANTINES_HEADER,
)
from adaptergen.problems import Failed, Problem

Registry = Mapping[str, Any]


def register(
    draft: Draft, registry: Registry, title: str, fields: Sequence[str], replacing: bool
) -> list[str]:
    """Make every edit that `registry.json` asks for; `Failed` with all that cannot be made.

    `fields` are the config attributes that have to reach the adapter. What people wrote about an
    architecture that is replaced stays, and is told in the result.
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

    for edit in registry["edits"]:
        prose = replacing and edit["container"] in PROSE
        attempt(edit["file"], partial(_edited, edit, replacing), prose)
    for name in fields:
        entry = Entry(PASSTHROUGH, "list", name, under=title, heading=True)
        attempt(PASSTHROUGH_FILE, partial(add, path=PASSTHROUGH_FILE, entry=entry))
    attempt(MODELS_FILE, partial(_with_models, rows=registry["supported_models"]["rows"]))
    if draft.read(GAPS) is not None:
        attempt(GAPS, partial(without, architecture=registry["architecture"]))
    if problems:
        raise Failed(problems)
    return kept


def _with_models(data: bytes, rows: Sequence[Registry]) -> bytes:
    """The list with the rows, and its totals counted anew, as upstream's tools do on writing it."""
    made = add_rows(data, MODELS_FILE, "models", ("architecture_id", "model_id"), rows)
    if made == data:
        return data
    models = json.loads(made)["models"]
    architectures = len({one.get("architecture_id") for one in models if isinstance(one, dict)})
    made = set_number(made, MODELS_FILE, "total_architectures", architectures)
    return set_number(made, MODELS_FILE, "total_models", len(models))


def quarantine(draft: Draft, test: str, model: str, replacing: bool) -> bool:
    """Enter a slow test in the list of what does not run; whether there is such a list."""
    if draft.read(QUARANTINES_FILE) is None:
        return False
    source = (draft.read(test) or b"").decode().split("\n")
    line = next(number for number, text in enumerate(source, 1) if "pytest.mark.slow" in text)
    target = test.removeprefix("tests/")
    cells = (f"[`{target}`:{line}]({target})", model)
    draft.edit(
        QUARANTINES_FILE,
        lambda data: add_table_row(
            data, QUARANTINES_FILE, QUARANTINES_HEADER, target, cells, replacing
        ),
    )
    return True


def _edited(edit: Registry, replacing: bool, data: bytes) -> bytes:
    file, container = edit["file"], edit["container"]
    if edit["kind"] == "imports":
        return add_import(data, file, edit["from"], edit["name"])
    if edit["kind"] != "dict":
        return add(data, file, Entry(container, edit["kind"], edit["entry"]))
    value = edit["name"] if "name" in edit else json_as_python(edit["value"])
    under = DESCRIPTIONS_GROUP if container == DESCRIPTIONS else ""
    entry = Entry(container, "dict", edit["key"], value, under)
    change = replace if replacing and container not in PROSE else add
    return change(data, file, entry)


def json_as_python(value: object) -> str:
    """Text, or a list of texts, as black writes it."""
    shown = json.dumps(value, ensure_ascii=False)
    return repr(value) if '\\"' in shown and "'" not in shown else shown
