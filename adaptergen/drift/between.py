"""The drift of one spec between two entries."""

from __future__ import annotations

from collections.abc import Mapping

from adaptergen.drift.advice import Advice
from adaptergen.drift.compare import compare
from adaptergen.drift.finding import Finding
from adaptergen.drift.report import SpecDrift
from adaptergen.lock.entry import Entry
from adaptergen.plan.model import Plan
from adaptergen.problems import Loc, Problem
from adaptergen.source.source import Source


def drift_between(
    plan: Plan, source: Source, shown_as: str, old: tuple[str, Entry], new: tuple[str, Entry]
) -> SpecDrift:
    """What changed from one release to another, with what to do about it."""
    advice = Advice(plan, source, new[1], new[0].partition("/")[0])
    findings = tuple(advice.on(finding) for finding in compare(old[1], new[1]))
    return SpecDrift(plan.spec.module, shown_as, plan.spec.architecture, old[0], new[0], findings)


#: What to do about a release that cannot be observed, by the code of why; and the place of that.
_MENDS: Mapping[str, tuple[Loc, str]] = {
    "hf-class": (
        ("architecture",),
        "see whether transformers has the class under another name, or needs a package more",
    ),
    "hf-config": (("tiny", "config"), "see which fields the config of this release takes"),
    "hf-forward": (
        ("blocks",),
        "`adaptergen inspect {}` shows what HF has now: mend what it calls otherwise, such as "
        "`path:` or `attribute:` here",
    ),
}


def cannot_run(
    plan: Plan, source: Source, shown_as: str, old: tuple[str, Entry], new: str, why: Problem
) -> SpecDrift:
    """The newer release cannot be observed at all."""
    loc, mend = _MENDS[why.code]
    finding = Finding(
        "not-run",
        "breaking",
        why.message,
        ("model",),
        hf=old[1].model.cls,
        file=source.path,
        line=source.place(loc, key=True).line,
        mend=mend.format(plan.spec.architecture),
    )
    return SpecDrift(plan.spec.module, shown_as, plan.spec.architecture, old[0], new, (finding,))
