"""What tiers have in common: a model looked at, wrapped, and checked without a check's failure
ending the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from adaptergen.verify.checks.paths import check_layer_paths, check_paths
from adaptergen.verify.findings import Finding, Sheet
from adaptergen.verify.models import layer_kinds, wrap
from adaptergen.verify.subject import Subject, make_subject
from adaptergen.verify.target import Target


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
def guarded(sheet: Sheet, check: str) -> Iterator[None]:
    """What a check cannot get through is a finding: an adapter may raise anything."""
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        mend = "mend what the other findings name, or run the generated tests for a traceback"
        measured = f"{type(error).__name__}: {text}"
        sheet.findings.append(Finding(check, f"{check} raises", "runs", measured, mend))


def look_at(target: Target, model: Any, sheet: Sheet) -> list[str] | None:
    """The kinds of the layers; None if the model lacks something that the spec names."""
    sheet.parameters = sum(parameter.numel() for parameter in model.parameters())
    sheet.dtype = str(model.dtype).removeprefix("torch.")
    check_paths(target, model, sheet)
    if sheet.findings:
        return None
    kinds = layer_kinds(target, model)
    check_layer_paths(target, model, kinds, sheet)
    return None if sheet.findings else kinds


def wrap_model(target: Target, model: Any, kinds: list[str], sheet: Sheet) -> Subject | None:
    """The subject of a model that was looked at; None if it cannot be wrapped."""
    subject: Subject | None = None
    with guarded(sheet, "wrapping"):
        subject = make_subject(target, wrap(target, model, sheet.model), kinds, sheet)
    return subject


def run_checks(sheet: Sheet, **checks: Callable[[], object]) -> None:
    """Run each check, whatever came of those before."""
    for name, check in checks.items():
        with guarded(sheet, name.replace("_", " ")):
            check()
