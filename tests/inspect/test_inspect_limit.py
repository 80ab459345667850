"""Jobs in processes of their own: what comes of each, in their order, whatever the others do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from adaptergen.inspection.fault_isolation import Job, each_limited, failed, limited
from adaptergen.problems import Failed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def fails() -> Any:
    raise failed("hf-config", "no config", "another one")


def stumbles() -> Any:
    raise ArithmeticError("of a test")


def told(found: Any) -> Any:
    """The code of a failure; what else came of a job as it is."""
    return found.problems[0].code if isinstance(found, Failed) else found


def test_each_has_its_outcome_in_its_place() -> None:
    functions: list[Callable[[], Any]] = [
        lambda: 0,
        partial(time.sleep, 600),
        lambda: 2,
        partial(os._exit, 3),
        fails,
        stumbles,
        lambda: "x" * 1_000_000,
        partial(sys.exit, 0),
        lambda: 8,
    ]
    found = each_limited([Job("the job", function) for function in functions], 2)
    expected = [0, "hf-time", 2, "hf-crash", "hf-config", "hf-crash", "x" * 1_000_000, "hf-crash"]
    assert [told(one) for one in found] == [*expected, 8]
    late, ended = found[1], found[3]
    assert isinstance(late, Failed) and isinstance(ended, Failed)
    assert late.problems[0].message == "the job took longer than 2 seconds"
    assert ended.problems[0].message == "the job ended the process that observed it"


def test_a_process_does_one_job_after_the_other() -> None:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    found = each_limited([Job("", os.getpid)] * 20, 60)
    assert os.getpid() not in found and len(set(found)) <= (cores or 1)


def test_one_alone_raises_what_it_failed_with() -> None:
    assert limited(Job("", os.getpid), 60) != os.getpid()
    with pytest.raises(Failed) as caught:
        limited(Job("", fails), 60)
    assert caught.value.problems[0].hint == "another one"


def test_nothing_to_do() -> None:
    assert each_limited([], 60) == []
