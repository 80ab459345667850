"""What tiers have in common: a model looked at, wrapped, and checked without a check's failure
ending the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from adaptergen.contract import Finding, ModelReport, Spot
from adaptergen.contract.models import ModelUnderTest
from adaptergen.contract.reference import Work
from adaptergen.verify.findings import Disagreement
from adaptergen.verify.locate import located
from adaptergen.verify.missing import missing_field
from adaptergen.verify.models import layer_kinds, wrapped
from adaptergen.verify.paths import check_layer_paths, check_paths
from adaptergen.verify.target import Target

NOWHERE = Spot()

Subject = TypeVar("Subject")


@contextmanager
def timed(report: ModelReport) -> Iterator[None]:
    """Note how long it took."""
    began = time.perf_counter()
    try:
        yield
    finally:
        report.seconds += time.perf_counter() - began


@contextmanager
def guarded(
    report: ModelReport, check: str, target: Target | None = None, at: Spot = NOWHERE
) -> Iterator[None]:
    """What a check cannot get through is a finding: an adapter may raise anything.

    It stands at `at`, or where the spec of the target names a field that HF's config lacks.
    """
    try:
        yield
    except Disagreement as error:
        report.findings.append(error.finding)
    except Exception as error:  # an adapter, and what it wraps, may raise anything
        text = " ".join(str(error).split())[:300]
        mend = "look at what this message names"
        if report.findings:
            mend = "mend what the other findings name"
        mend += ", or run the generated tests for a traceback"
        what, measured = f"{check} raises {type(error).__name__}: {text}", type(error).__name__
        field = missing_field(target, error) if target else None
        if field:
            at, mend = field
        report.findings.append(Finding(check, what, "runs", measured, mend, at))


def look_at(target: Target, model: Any, report: ModelReport) -> list[str] | None:
    """The kinds of the layers; None if the model lacks something that the spec names."""
    report.parameters = sum(parameter.numel() for parameter in model.parameters())
    report.dtype = str(model.dtype).removeprefix("torch.")
    check_paths(target, model, report)
    if report.findings:
        return None
    kinds: list[str] = []
    with guarded(report, "kinds", target):
        kinds = layer_kinds(target, model)
    if report.findings:
        return None
    check_layer_paths(target, model, kinds, report)
    return None if report.findings else kinds


def look_and_wrap(
    target: Target,
    model: Any,
    report: ModelReport,
    work: Work | None = None,
    keep_spare: bool = False,
) -> ModelUnderTest | None:
    """The model with the bridge around it; None if it lacks something, or cannot be wrapped."""
    run: ModelUnderTest | None = None
    if look_at(target, model, report) is not None:
        with guarded(report, "wrapping", target):
            run = wrapped(target, model, report, work, keep_spare)
    return run


def run_checks(
    target: Target,
    report: ModelReport,
    checks: Mapping[str, Callable[[Subject], Iterator[Finding]]],
    subject: Subject,
) -> None:
    """Run each check, whatever came of those before."""
    for name, check in checks.items():
        with guarded(report, name):
            report.findings.extend(located(target, check(subject)))
