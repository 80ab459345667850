"""`adaptergen lock`, and `drift` against what is installed."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from adaptergen.drift.advice import cannot_run, drift_between
from adaptergen.generate import plan, project_path
from adaptergen.inspection.fault_isolation import Job, each_limited
from adaptergen.lock.entry import Entry
from adaptergen.lock.paths import has_lock, lock_path
from adaptergen.lock.store import Lock, find_release, load_lock, lock_text, write_lock
from adaptergen.plan.model import Plan
from adaptergen.problems import Failed, every
from adaptergen.records import DriftedSpec
from adaptergen.verify.environment import require


@dataclass(frozen=True)
class Known:
    """A spec with its lock, if it has one, and the release of it that counts."""

    path: Path
    plan: Plan
    lock: Lock | None = None
    old: str = ""

    @property
    def shown(self) -> str:
        """The spec by its path in the project."""
        return project_path(self.path)

    @property
    def title(self) -> str:
        """The class that it is about, and the spec."""
        return f"{self.plan.spec.architecture} ({self.shown})"

    @property
    def before(self) -> tuple[str, Entry]:
        """The release of the lock that counts, and what was observed of it."""
        assert self.lock is not None
        return self.old, self.lock.entries[self.old]


def lock(paths: Sequence[Path], check: bool, seconds: float) -> int:
    """Observe each spec, then write all locks; none if one cannot be observed."""
    known = every(_with_any_lock, list(dict.fromkeys(paths)))
    require()
    observed = zip(known, observe(known, seconds), strict=True)
    made = every(lambda pair: with_entry(*pair), observed)
    stale = False
    for spec, after in zip(known, made, strict=True):
        text = lock_text(after)
        fresh = spec.lock is not None and lock_text(spec.lock) == text
        stale |= not fresh
        if not (fresh or check):
            write_lock(lock_path(spec.path), text)
        word = "unchanged" if fresh else "stale" if check else "wrote"
        shown = lock_path(spec.path).as_posix()
        print(f"{word}: {shown}: {', '.join(after.releases)}", file=sys.stderr)
    return int(stale and check)


def observe(specs: Sequence[Known], seconds: float) -> list[Entry | Failed]:
    """What is observed of each spec with the installed releases, or why nothing is."""
    from adaptergen.observe.entry import observed

    jobs = [Job(spec.title, partial(observed, spec.plan)) for spec in specs]
    return each_limited(jobs, seconds)


def with_entry(spec: Known, entry: Entry | Failed) -> Lock:
    """The lock of a spec with what was observed. Raises `Failed`."""
    from adaptergen.observe.entry import not_usable, release

    if isinstance(entry, Failed):
        raise entry
    if entry.error:
        raise not_usable(spec.plan, entry)
    before = spec.lock.entries if spec.lock else {}
    return Lock(spec.shown, spec.plan.spec.architecture, {**before, release(): entry})


def drift_from_installed(
    paths: Sequence[Path], against: str | None, seconds: float
) -> list[DriftedSpec]:
    """Each spec's lock against what is installed."""
    read = partial(_with_one_release, against=against)
    known = _read_and_import(read, list(dict.fromkeys(paths)))
    jobs = [Job(spec.title, partial(_drift, spec)) for spec in known]
    found = each_limited(jobs, seconds)
    return every(lambda pair: _broken_as_finding(*pair), zip(known, found, strict=True))


def _read_and_import(read: Callable[[Path], Known], paths: Sequence[Path]) -> list[Known]:
    """Each spec as `read` has it, and all that observing them needs imported.

    Many are read in a process beside the one that imports. One takes no time worth that, and what
    is wrong with it is reported at once. Mistakes in specs come before what cannot be imported.
    """
    if len(paths) == 1 or not hasattr(os, "fork"):
        alone = every(read, paths)
        _import()
        return alone
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as beside:
        reading = beside.submit(every, read, paths)
        try:
            _import()
        finally:
            known: list[Known] = reading.result()
    return known


def _import() -> None:
    """Here and not in each process, so that it is imported once; also what all models import."""
    require()
    import transformers.generation.utils  # noqa: F401  # only so that it is there

    import adaptergen.inspection.observe
    import adaptergen.observe.entry  # noqa: F401  # only so that it is there


def _with_one_release(path: Path, against: str | None) -> Known:
    """The spec, and of its lock no more than what counts: it is handed between processes."""
    found = with_lock(path, against)
    assert found.lock is not None
    one = replace(found.lock, entries={found.old: found.lock.entries[found.old]})
    return replace(found, lock=one)


def _drift(spec: Known) -> DriftedSpec:
    from adaptergen.observe.entry import locate, observed, release

    new = (release(), observed(spec.plan, spec.before[1]))
    found = drift_between(spec.plan, spec.shown, spec.before, new)
    findings = tuple(
        replace(one, source=locate(one.hf) if one.hf else "") for one in found.findings
    )
    return found.model_copy(update={"findings": findings})


def _broken_as_finding(spec: Known, found: DriftedSpec | Failed) -> DriftedSpec:
    """A release that breaks the model is a finding; that something is missing here is none."""
    from adaptergen.observe.entry import BROKEN, release

    if not isinstance(found, Failed):
        return found
    if {problem.code for problem in found.problems} - BROKEN:
        raise found
    why = found.problems[0]
    return cannot_run(spec.plan, spec.shown, spec.before, release(), why)


def _with_any_lock(path: Path) -> Known:
    made = plan(path)
    return Known(path, made, load_lock(path, made.spec.architecture)[0] if has_lock(path) else None)


def with_lock(path: Path, against: str | None) -> Known:
    """The spec with its lock, and the release of it that is named, or the newest."""
    made = plan(path)
    found, shown = load_lock(path, made.spec.architecture)
    wanted = found.newest if against is None else against
    return Known(path, made, found, find_release(found, wanted, shown))
