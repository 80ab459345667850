"""`adaptergen lock`, and `drift` against what is installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from adaptergen.drift.between import cannot_run, drift_between
from adaptergen.drift.report import SpecDrift
from adaptergen.generate import plan, project_path, shown_as
from adaptergen.lock.entry import Entry
from adaptergen.lock.paths import has_lock, lock_path
from adaptergen.lock.store import (
    Lock,
    find_release,
    load_lock,
    lock_text,
    read_lock,
    write_lock,
)
from adaptergen.problems import every
from adaptergen.source import read_source
from adaptergen.verify.environment import require
from adaptergen.verify.known import BadInput


def lock(args: argparse.Namespace) -> int:
    """Observe each spec, then write all locks; none if one cannot be observed."""
    paths: Sequence[Path] = list(dict.fromkeys(args.specs))
    every(plan, paths)
    known = [_existing(path) for path in paths]
    try:
        require()
        made = [
            _observed(path, before, args.limit) for path, before in zip(paths, known, strict=True)
        ]
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    stale = False
    for path, before, after in zip(paths, known, made, strict=True):
        beside, text = lock_path(path), lock_text(after)
        fresh = before is not None and lock_text(before) == text
        stale |= not fresh
        if not (fresh or args.check):
            write_lock(beside, text)
        word = "unchanged" if fresh else "stale" if args.check else "wrote"
        print(f"{word}: {beside.as_posix()}, {', '.join(after.releases)}", file=sys.stderr)
    return int(stale and args.check)


def drift_from_installed(
    paths: Sequence[Path], against: str | None, limit: float
) -> Iterator[SpecDrift]:
    """Each spec's lock against what is installed."""
    every(plan, paths)
    known = every(load_lock, paths)
    olds = [find_release(lock, against or lock.newest, shown) for lock, shown in known]
    require()
    for path, (found, _), old in zip(paths, known, olds, strict=True):
        yield _drift(path, (old, found.entries[old]), limit)


def _drift(path: Path, old: tuple[str, Entry], limit: float) -> SpecDrift:
    from adaptergen.verify.observe.entry import release
    from adaptergen.verify.observe.installed import CannotObserve, observed
    from adaptergen.verify.observe.locate import locate

    shown = project_path(path)
    try:
        target, entry = observed(path, limit)
    except CannotObserve as error:
        return cannot_run(
            plan(path), read_source(path, shown_as(path)), shown, old, release(), error.message
        )
    found = drift_between(target.plan, target.source, shown, old, (release(), entry))
    findings = tuple(
        replace(one, source=locate(one.hf) if one.hf else "") for one in found.findings
    )
    return replace(found, findings=findings)


def _existing(path: Path) -> Lock | None:
    beside = lock_path(path)
    return read_lock(beside, shown_as(beside)) if has_lock(path) else None


def _observed(path: Path, before: Lock | None, limit: float) -> Lock:
    from adaptergen.verify.observe.entry import release
    from adaptergen.verify.observe.installed import observed

    target, entry = observed(path, limit)
    if entry.error:
        message = f"the adapter of {path.as_posix()} cannot be used: {entry.error}"
        raise BadInput(
            message, f"run `adaptergen verify {path.as_posix()}`, and mend what it names"
        )
    base = before or Lock(project_path(path), target.plan.spec.architecture)
    return replace(
        base, spec=project_path(path), architecture=target.plan.spec.architecture
    ).with_entry(release(), entry)
