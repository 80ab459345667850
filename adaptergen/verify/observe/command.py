"""`adaptergen lock`, and `drift` against what is installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adaptergen.drift.between import cannot_run, drift_between
from adaptergen.drift.report import SpecDrift
from adaptergen.generate import plan, project_path, shown_as
from adaptergen.lock.paths import has_lock, lock_path
from adaptergen.lock.store import Lock, find_release, load_lock, lock_text, read_lock, write_lock
from adaptergen.plan import Plan
from adaptergen.problems import Failed, every
from adaptergen.source import Source, read_source
from adaptergen.verify.environment import require


@dataclass(frozen=True)
class Known:
    """A spec with its lock, if it has one, and the release of it that counts."""

    path: Path
    plan: Plan
    source: Source
    lock: Lock | None = None
    old: str = ""

    @property
    def shown(self) -> str:
        """The spec by its path in the project."""
        return project_path(self.path)


def lock(paths: Sequence[Path], check: bool, seconds: float) -> int:
    """Observe each spec, then write all locks; none if one cannot be observed."""
    known = every(_with_any_lock, list(dict.fromkeys(paths)))
    require()
    made = every(lambda spec: observe(spec, seconds), known)
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


def observe(spec: Known, seconds: float) -> Lock:
    """The lock of a spec with an entry for the installed releases. Raises `Failed`."""
    from adaptergen.verify.observe.entry import release
    from adaptergen.verify.observe.installed import not_usable, observed

    entry = observed(spec.plan, spec.source, seconds)
    if entry.error:
        raise not_usable(spec.plan, spec.source, entry)
    before = spec.lock.entries if spec.lock else {}
    return Lock(spec.shown, spec.plan.spec.architecture, {**before, release(): entry})


def drift_from_installed(
    paths: Sequence[Path], against: str | None, seconds: float
) -> list[SpecDrift]:
    """Each spec's lock against what is installed."""
    known = every(lambda path: with_lock(path, against), list(dict.fromkeys(paths)))
    require()
    # Imported before there are several processes, so that it is done once.
    import adaptergen.verify.observe.installed  # noqa: F401
    from adaptergen.verify.observe.parallel import in_parallel

    found = in_parallel(lambda spec: _drift_or_failure(spec, seconds), known)
    return every(_raised, found)


def drift(spec: Known, seconds: float) -> SpecDrift:
    """One spec's lock against what is installed."""
    from adaptergen.verify.observe.entry import release
    from adaptergen.verify.observe.installed import BROKEN, observed
    from adaptergen.verify.observe.locate import locate

    assert spec.lock is not None
    old = (spec.old, spec.lock.entries[spec.old])
    try:
        entry = observed(spec.plan, spec.source, seconds, old[1])
    except Failed as error:
        if {problem.code for problem in error.problems} - BROKEN:
            raise
        why = error.problems[0].message
        return cannot_run(spec.plan, spec.source, spec.shown, old, release(), why)
    found = drift_between(spec.plan, spec.source, spec.shown, old, (release(), entry))
    findings = (replace(one, source=locate(one.hf) if one.hf else "") for one in found.findings)
    return replace(found, findings=tuple(findings))


def _drift_or_failure(spec: Known, seconds: float) -> SpecDrift | Failed:
    try:
        return drift(spec, seconds)
    except Failed as error:
        return error


def _raised(found: SpecDrift | Failed) -> SpecDrift:
    if isinstance(found, Failed):
        raise found
    return found


def _with_any_lock(path: Path) -> Known:
    spec = Known(path, plan(path), read_source(path, shown_as(path)))
    if not has_lock(path):
        return spec
    beside = lock_path(path)
    return replace(spec, lock=read_lock(beside, shown_as(beside)))


def with_lock(path: Path, against: str | None) -> Known:
    """The spec with its lock, and the release of it that is named, or the newest."""
    made = plan(path)
    found, shown = load_lock(path)
    old = find_release(found, against or found.newest, shown)
    return Known(path, made, read_source(path, shown_as(path)), found, old)
