"""`docs/mutants.md`: a section for each adapter, with counts, survivors and reasons."""

from __future__ import annotations

import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from mutation_survivors import Identity, Outcome

INTRO = """\
<!-- Written by `make mutants`. -->
# Mutants

An adapter with one mistake at a time, of the kinds that authors make. The emitted unit and tiny
tests have to fail on each. A survivor is listed with the reason why no test can notice it.
"""
_HEADING = "\n## "


def write(page: Path, module: str, outcomes: list[Outcome], reasons: dict[Identity, str]) -> None:
    """Put the section of an adapter on the page, and leave the sections of others alone."""
    before = page.read_text("utf-8") if page.exists() else ""
    sections = {text.split("\n", 1)[0]: text.strip() for text in before.split(_HEADING)[1:]}
    sections[f"`{module}`"] = section(module, outcomes, reasons)
    parts = [INTRO, *(f"{_HEADING}{sections[name]}\n" for name in sorted(sections))]
    page.write_text("".join(parts), encoding="utf-8")


def section(module: str, outcomes: list[Outcome], reasons: dict[Identity, str]) -> str:
    """What is said of one adapter, in Markdown."""
    total = Counter(outcome.mutant.operator for outcome in outcomes)
    killed = Counter(outcome.mutant.operator for outcome in outcomes if outcome.killed)
    kills = Counter(_tier(outcome.by) for outcome in outcomes if outcome.killed)
    score = f"{100 * killed.total() / len(outcomes):.1f}"
    by = ", ".join(f"{number} by {name}" for name, number in sorted(kills.items()))
    names = ("transformer-lens", "transformers", "torch", "pytest")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    lines = [
        f"`{module}`",
        "",
        f"**{killed.total()} of {len(outcomes)} killed ({score} %)**: {by}.",
        "",
        f"With {versions}, Python {sys.version_info.major}.{sys.version_info.minor}.",
        "",
        "| Mistake | Mutants | Killed |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {total[name]} | {killed[name]} |" for name in sorted(total)),
    ]
    survivors = [_survivor(one, reasons) for one in outcomes if not one.killed]
    if survivors:
        lines += ["", f"### Survivors of `{module}`", "", *survivors]
    return "\n".join(lines)


def _tier(test: str) -> str:
    name = test.partition("::")[0]
    if name.endswith("_tiny.py"):
        return "the tiny test"
    return "the unit test" if name.endswith("_adapter.py") else test


def _survivor(outcome: Outcome, reasons: dict[Identity, str]) -> str:
    mutant = outcome.mutant
    reason = reasons.get(mutant.identity, "**not listed**")
    after = f"`{mutant.after}`" if mutant.after else "nothing"
    change = f"`{mutant.before}` becomes {after}" if mutant.before else f"{after} is added"
    return f"- {mutant.operator} in `{mutant.where}`: {change}. {reason}"
