"""What tiers have in common: a model looked at, wrapped, and checked without a check's failure
ending the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from adaptergen.verify.checks.paths import check_layer_paths, check_paths
from adaptergen.verify.findings import Disagreement, Finding, Sheet, Spot
from adaptergen.verify.missing import missing_field
from adaptergen.verify.models import layer_kinds, wrap
from adaptergen.verify.subject import Subject, make_subject
from adaptergen.verify.target import Target

NOWHERE = Spot()


@contextmanager
def timed(sheet: Sheet) -> Iterator[None]:
    """Note how long it took."""
    began = time.perf_counter()
    try:
        yield
    finally:
        sheet.seconds += time.perf_counter() - began


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread: for tiny tensors more of them only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def guarded(
    sheet: Sheet, check: str, target: Target | None = None, at: Spot = NOWHERE
) -> Iterator[None]:
    """What a check cannot get through is a finding: an adapter may raise anything.

    It stands at `at`, or where the spec of the target names a field that HF's config lacks.
    """
    try:
        yield
    except Disagreement as error:
        sheet.findings.append(error.finding)
    except Exception as error:  # an adapter, and what it wraps, may raise anything
        text = " ".join(str(error).split())[:300]
        mend = "look at what this message names"
        if sheet.findings:
            mend = "mend what the other findings name"
        mend += ", or run the generated tests for a traceback"
        what, measured = f"{check} raises {type(error).__name__}: {text}", type(error).__name__
        field = missing_field(target, error) if target else None
        if field:
            at, mend = field
        sheet.findings.append(Finding(check, what, "runs", measured, mend, at))


def look_at(target: Target, model: Any, sheet: Sheet) -> list[str] | None:
    """The kinds of the layers; None if the model lacks something that the spec names."""
    sheet.parameters = sum(parameter.numel() for parameter in model.parameters())
    sheet.dtype = str(model.dtype).removeprefix("torch.")
    check_paths(target, model, sheet)
    if sheet.findings:
        return None
    kinds: list[str] = []
    with guarded(sheet, "kinds", target):
        kinds = layer_kinds(target, model)
    if sheet.findings:
        return None
    check_layer_paths(target, model, kinds, sheet)
    return None if sheet.findings else kinds


def wrap_model(target: Target, model: Any, kinds: list[str], sheet: Sheet) -> Subject | None:
    """The subject of a model that was looked at; None if it cannot be wrapped."""
    subject: Subject | None = None
    with guarded(sheet, "wrapping", target):
        subject = make_subject(target, wrap(target, model, sheet.model), kinds, sheet)
    return subject


def run_checks(sheet: Sheet, **checks: Callable[[], object]) -> None:
    """Run each check, whatever came of those before."""
    for name, check in checks.items():
        with guarded(sheet, name.replace("_", " ")):
            check()
