"""`adaptergen update`: what changed, what follows for the spec, and the adapter made anew."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from adaptergen import guard, runtime
from adaptergen.drift.advice import drift_between
from adaptergen.drift.edits import (
    Edit,
    Rewritten,
    by_hand,
    derived_edits,
    diff,
    edited,
    verified_edit,
)
from adaptergen.drift.report import as_text, drift_record
from adaptergen.generate import files_of, plan
from adaptergen.lock.disagree import disagreements
from adaptergen.lock.paths import lock_path
from adaptergen.lock.store import Lock, lock_text
from adaptergen.observe.commands import Known, observe, with_entry, with_lock
from adaptergen.output.transaction import build
from adaptergen.problems import Failed
from adaptergen.verify.environment import require
from adaptergen.verify.report import Report, table


def update(path: Path, out: Path, write: bool, seconds: float) -> int:
    """Update one adapter; 0 up to date, 1 the spec has to change or the adapter does not pass.

    Raises `Failed`. Nothing is written before all of it has succeeded.
    """
    spec = with_lock(path, None)
    require()
    from adaptergen.observe.entry import release

    (new,) = observe([spec], seconds)
    if isinstance(new, Failed):
        raise new
    old, name = spec.before[1], release()
    found = drift_between(spec.plan, spec.shown, spec.before, (name, new))
    sys.stdout.write(as_text(drift_record([found])))
    edits = derived_edits(spec.plan, old, new, found.findings)
    verified = verified_edit(spec.plan, name.partition("/")[0], edits)
    edits += [verified] if verified else []
    texts = edited(edits)
    sys.stdout.write(diff(texts))
    sys.stdout.flush()
    spec = _with_edits(spec, edits, texts)
    if edits and not write:
        print("The spec has to change first: add --write to change it as shown.", file=sys.stderr)
        return 1
    lock = with_entry(spec, *(observe([spec], seconds) if edits else [new]))
    problems = disagreements(spec.plan, lock)
    if problems:
        raise Failed(problems)
    return 0 if _verified(spec) and _written(spec, lock, texts, out) else 1


def _with_edits(spec: Known, edits: Sequence[Edit], texts: Mapping[Path, Rewritten]) -> Known:
    """The spec as it is with its edits, which a copy of it has. Raises `Failed`."""
    if not edits:
        return spec
    folder = spec.path.parent
    with tempfile.TemporaryDirectory(prefix="adaptergen-update-") as scratch:
        shapes = sorted((folder / "shapes").glob("*.yaml"))
        for file in (spec.path, *shapes):
            copy = Path(scratch) / file.relative_to(folder)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(texts[file].after if file in texts else _read(file))
        try:
            return replace(spec, plan=plan(spec.path, copy=Path(scratch) / spec.path.name))
        except Failed as failed:
            why = "with this edit the spec cannot be loaded"
            raise Failed([*failed.problems, *by_hand(edits, why)]) from None


def _read(file: Path) -> bytes:
    return guard.read(file, within=guard.project_of(file))


def _verified(spec: Known) -> bool:
    from adaptergen.render.adapter import render_adapter
    from adaptergen.verify.report import SpecResult
    from adaptergen.verify.target import make_target
    from adaptergen.verify.tiers import tiny

    target = make_target(spec.plan, render_adapter(spec.plan))
    reports = tuple(tiny(target))
    result = SpecResult(spec.plan.spec.module, spec.shown, spec.plan.spec.architecture, reports)
    report = Report("tiny", (result,), (), None)
    print(table(report))
    return not report.exit_code


def _written(spec: Known, lock: Lock, texts: Mapping[Path, Rewritten], out: Path) -> bool:
    """Write the adapter, the spec and its lock; none of them if the adapter cannot be."""
    changed = [path for path, text in texts.items() if _read(path) != text.before]
    if changed:
        shown = ", ".join(path.as_posix() for path in changed)
        print(f"{shown}: changed meanwhile; nothing was written: run it again.", file=sys.stderr)
        return False
    # The lock last: as long as it is the old one, the same command does all of this again.
    files = {path: text.after for path, text in texts.items()}
    files[lock_path(spec.path)] = lock_text(lock).encode()
    with _beside(files) as put:
        wanted = [files_of(spec.path, spec.plan), runtime.wanted()]
        report = build(out, wanted, write=True, force=False)
        for line in (report.refusal, *report.lines, report.summary):
            print(line, end="\n" if line else "", file=sys.stderr)
        if not report.exit_code:
            put()
    return not report.exit_code


@contextmanager
def _beside(files: Mapping[Path, bytes]) -> Iterator[Callable[[], None]]:
    """Have new files whole beside the old ones; what is given puts them in their place."""
    parts: dict[Path, Path] = {}

    def put() -> None:
        for part, file in parts.items():
            os.replace(part, file)

    try:
        for path, data in files.items():
            # A link stays one.
            file = Path(os.path.realpath(path))
            part = file.with_name(f"{file.name}.{os.getpid()}.part")
            guard.write_new(part, data)
            parts[part] = file
            shutil.copymode(file, part)
        yield put
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
