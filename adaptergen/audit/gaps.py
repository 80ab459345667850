"""The list of what is not supported, and what of it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial

from adaptergen.audit.model import Finding, Source
from adaptergen.edit.rows import remove_rows, set_number

GAPS = "transformer_lens/tools/model_registry/data/architecture_gaps.json"
MODELS = "transformer_lens/tools/model_registry/data/supported_models.json"


def gap_findings(source: Source) -> Iterator[Finding]:
    """Rows about architectures that the factory has, and rows of models of none."""
    known = source.catalogue.adapters
    for name, line in _rows(source, GAPS, "gaps"):
        if name in known:
            message = f"{name} is listed as a gap, and is supported by {known[name]}"
            hint = "remove the row, and count anew"
            mend = (GAPS, partial(without, architecture=name))
            yield source.finding("supported-in-gaps", name, message, hint, GAPS, line, mend)
    unknown: dict[str, int] = {}
    for name, line in _rows(source, MODELS, "models"):
        if name not in known:
            unknown.setdefault(name, line)
    for name, line in unknown.items():
        message = f"models are listed for {name}, which the factory does not have"
        yield source.finding(
            "extra-entry", name, message, "remove the rows, or register it", MODELS, line
        )


def without(data: bytes, architecture: str) -> bytes:
    """The list without an architecture, its two totals counted anew; as it is if it has none."""
    made = remove_rows(data, GAPS, "gaps", lambda row: row.get("architecture_id") == architecture)
    if made == data:
        return data
    gaps = json.loads(made)["gaps"]
    made = set_number(made, GAPS, "total_unsupported_architectures", len(gaps))
    models = sum(gap.get("total_models", 0) for gap in gaps)
    return set_number(made, GAPS, "total_unsupported_models", models)


def _rows(source: Source, path: str, container: str) -> Iterator[tuple[str, int]]:
    file = source.root / path
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8")
    rows: list[Mapping[str, object]] = json.loads(text).get(container, [])
    named = [
        number for number, line in enumerate(text.split("\n"), 1) if '"architecture_id"' in line
    ]
    # One a line, as the tools of TransformerLens write it; else only the file is known.
    lines = named if len(named) == len(rows) else [1] * len(rows)
    for row, line in zip(rows, lines, strict=True):
        yield str(row.get("architecture_id")), line
