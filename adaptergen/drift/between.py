"""The drift of one spec between two entries."""

from __future__ import annotations

from adaptergen.drift.advice import Advice
from adaptergen.drift.compare import compare
from adaptergen.drift.finding import Finding
from adaptergen.drift.report import SpecDrift
from adaptergen.lock.entry import Entry
from adaptergen.plan import Plan
from adaptergen.source import Source


def drift_between(
    plan: Plan, source: Source, shown_as: str, old: tuple[str, Entry], new: tuple[str, Entry]
) -> SpecDrift:
    """What changed from one release to another, with what to do about it."""
    advice = Advice(plan, source, new[1], new[0].partition("/")[0])
    findings = tuple(advice.on(finding) for finding in compare(old[1], new[1]))
    return SpecDrift(plan.spec.module, shown_as, plan.spec.architecture, old[0], new[0], findings)


def cannot_run(
    plan: Plan, source: Source, shown_as: str, old: tuple[str, Entry], new: str, why: str
) -> SpecDrift:
    """The newer release cannot be observed at all."""
    place = source.place(("architecture",))
    finding = Finding(
        "not-run",
        "breaking",
        why,
        ("model",),
        hf=old[1].model.cls,
        file=place.path,
        line=place.line,
        mend="see whether transformers has the class under another name, or needs a package more",
    )
    return SpecDrift(plan.spec.module, shown_as, plan.spec.architecture, old[0], new, (finding,))
