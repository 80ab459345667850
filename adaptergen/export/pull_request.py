"""The text of a pull request, in the sections of upstream's template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adaptergen.export.checks import Check
from adaptergen.export.contribution import Adapter, Contribution
from adaptergen.prose import markdown
from adaptergen.render.hook_page import hook_table

_TEMPLATE_FILE = ".github/PULL_REQUEST_TEMPLATE.md"
_DEFAULT = "# Description\n\n## Type of change\n\n# Checklist:\n"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^#+ .*$", re.MULTILINE)
#: Options of the template, by a word of them: whether they are those of an adapter that replaces.
_TYPES = {"new feature": False, "bug fix": True, "breaking": True}
Record = Mapping[str, Any]


def pull_request(
    made: Contribution, checks: Sequence[Check], records: Sequence[Record | str]
) -> str:
    """Markdown; `records` are what `adaptergen verify` measured of each spec, or why nothing."""
    template = made.draft.read(_TEMPLATE_FILE)
    text = _COMMENT.sub("", template.decode() if template else _DEFAULT)
    replacing = any(adapter.replaced for adapter in made.adapters)
    parts = []
    for heading, body in _sections(text):
        title = heading.strip("# :").casefold()
        if title == "description":
            body = "\n\n".join(_description(made, checks, records))
        elif title == "type of change":
            body = _chosen(body, replacing)
        elif title == "checklist":
            body = _ticked(body, replacing)
        elif title == "screenshots":
            continue
        parts.append(f"{heading}\n\n{body.strip()}".rstrip())
    return "\n\n".join(parts) + "\n"


def _sections(text: str) -> Iterator[tuple[str, str]]:
    found = list(_HEADING.finditer(text))
    for number, match in enumerate(found):
        end = found[number + 1].start() if number + 1 < len(found) else len(text)
        yield match[0], text[match.end() : end]


def _description(
    made: Contribution, checks: Sequence[Check], records: Sequence[Record | str]
) -> Iterator[str]:
    for adapter, record in zip(made.adapters, records, strict=True):
        yield from _adapter(adapter, record)
    yield from _shared(made)
    yield "### Run on this branch"
    # What tools say is not written for a page.
    checks = [replace(check, detail=markdown(check.detail)) for check in checks]
    ran = [check for check in checks if check.passed is not None]
    yield "\n".join(f"- {check.line}" for check in ran) or "Nothing."
    left = [f"- {check.name}: {check.detail}" for check in checks if check.passed is None]
    left += [
        f"- {path}: needs a real checkpoint"
        for adapter in made.adapters
        for path in adapter.tests
        if path.startswith("tests/integration/") and path.endswith("_adapter.py")
    ]
    yield "### Not run"
    yield "\n".join([*left, "- `verify_models`: needs the Hub"])


def _shared(made: Contribution) -> Iterator[str]:
    parts = [part for part in made.shared if part.news]
    if not parts:
        return
    yield "### What adapters share"
    yield (
        "The adapter is data; what reads the data, and what its tests check, comes once for all "
        "such adapters, in commits of its own before the adapter's:"
    )
    for part in parts:
        rows = (f"- {state}: `{path}`: {part.files[path]}" for path, state in part.news.items())
        yield "\n".join([f"{part.title[0].upper()}{part.title[1:]}:", "", *rows])


def _adapter(adapter: Adapter, record: Record | str) -> Iterator[str]:
    plan, spec = adapter.plan, adapter.plan.spec
    verb = "Replaces the adapter of" if adapter.replaced else "Adds an adapter for"
    yield f"{verb} `{spec.architecture}` ({spec.title}). {markdown(spec.description)}"
    if spec.notes:
        yield "\n".join(f"- {markdown(note)}" for note in spec.notes)
    yield (
        "The adapter and its tests are generated from a declarative spec; "
        f"checkpoints of the family: {', '.join(f'`{name}`' for name in spec.checkpoints)}."
    )
    yield "### Hooks"
    yield f"Of the model:\n\n{hook_table(plan, plan.model_hooks)}"
    yield f"Of every layer, below `blocks.{{i}}.`:\n\n{hook_table(plan, plan.layer_hooks)}"
    for kind in plan.kinds:
        title = f"Of layers of kind `{kind.name}`, too"
        yield f"{title}:\n\n{hook_table(plan, kind.hooks)}"
    if adapter.replaced:
        yield "### Removed, and replacements"
        yield "\n".join(f"- {line}" for line in adapter.replaced)
    yield "### Measured"
    yield _measured(spec.module, record)


def _measured(module: str, record: Record | str) -> str:
    if isinstance(record, str):
        return f"Nothing: {record}."
    versions = record["versions"]
    names = ("transformers", "transformer-lens", "torch", "python")
    shown = ", ".join(f"{name} {versions.get(name)}" for name in names)
    lines = [
        f"On tiny models with random weights: {shown}.",
        "",
        "| Model | Greatest difference of logits from HF | Greedy tokens |",
        "| --- | --- | --- |",
    ]
    for model, runs in record["parity"].get(module, {}).items():
        worst = ", ".join(
            f"{'no number' if value is None else f'{value:.3g}'} ({run})"
            for run, value in runs.items()
            if value != 0
        )
        greedy = record["generation"].get(module, {}).get(model, {})
        other = [run for run, same in greedy.items() if not same]
        equal = f"not equal: {', '.join(other)}" if other else f"equal: {', '.join(greedy)}"
        lines.append(f"| {model} | {worst or f'0 in all {len(runs)} runs'} | {equal} |")
    return "\n".join([*lines, "", record["summary"]])


def _chosen(body: str, replacing: bool) -> str:
    kept = []
    for line in body.splitlines():
        word = next((word for word in _TYPES if word in line.casefold()), "")
        if _TYPES.get(word) is replacing:
            kept.append(line.replace("[ ]", "[x]"))
    return "\n".join(kept)


def _ticked(body: str, replacing: bool) -> str:
    """Ticks only for what is known to be so; not that all tests pass, for not all were run."""
    known = ["commented my code", "changes to the documentation", "added tests"]
    if not replacing:
        known.append("not rewritten tests")
    return "\n".join(
        line.replace("[ ]", "[x]") if any(words in line for words in known) else line
        for line in body.splitlines()
    )
