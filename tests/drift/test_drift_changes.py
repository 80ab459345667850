"""Every way in which a release changed an adapter so far, and more, in a small hybrid of ours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adaptergen.drift.compare import compare
from adaptergen.records import DriftFinding as Finding

sys.path.insert(0, str(Path(__file__).parent))
from changes import BENIGN, CHANGES, Change
from hybrid_support import TEXT

pytestmark = pytest.mark.heavy


def worse_than_benign(findings: list[Finding]) -> set[tuple[str, str, str]]:
    """Severity, code and first path of each."""
    return {(f.severity, f.code, (*f.paths, "")[0]) for f in findings if f.severity != "benign"}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_change_is_found(change: Change, base: Any, observe: Callable[[str], Any]) -> None:
    assert change.expected
    findings = compare(base, observe(change.apply(TEXT)))
    assert worse_than_benign(findings) == change.expected


@pytest.mark.parametrize("change", BENIGN, ids=lambda change: change.name)
def test_nothing_but_benign(change: Change, base: Any, observe: Callable[[str], Any]) -> None:
    findings = compare(base, observe(change.apply(TEXT)))
    assert findings and worse_than_benign(findings) == set()


def test_unchanged_copy_reports_nothing(base: Any, observe: Callable[..., Any]) -> None:
    assert compare(base, observe(TEXT)) == []


def test_copy_in_another_file_reports_nothing_but_benign(
    base: Any, observe: Callable[..., Any]
) -> None:
    findings = compare(base, observe(TEXT, "drift_hybrid.elsewhere"))
    assert findings and {finding.severity for finding in findings} == {"benign"}


#: The others end before there is anything to compare from.
USABLE = [change for change in CHANGES if ("breaking", "not-run", "") not in change.expected]


@pytest.mark.parametrize("change", USABLE, ids=lambda change: change.name)
def test_the_way_back_is_found_too(
    change: Change, base: Any, observe: Callable[[str], Any]
) -> None:
    assert compare(observe(change.apply(TEXT)), base)
