"""`adaptergen update`: what changed, what follows for the spec, and the adapter made anew."""

from __future__ import annotations

import sys
from pathlib import Path

from adaptergen.drift.between import drift_between
from adaptergen.drift.derive import derived_edits, diff, edited, proved_edit
from adaptergen.drift.formats import as_text
from adaptergen.drift.report import Report as DriftReport
from adaptergen.generate import generate
from adaptergen.lock.disagree import disagreements
from adaptergen.lock.paths import lock_path
from adaptergen.lock.store import lock_text, write_lock
from adaptergen.output import build
from adaptergen.problems import Failed
from adaptergen.verify.environment import require
from adaptergen.verify.observe.command import Known, observe, with_entry, with_lock
from adaptergen.verify.report import Report
from adaptergen.verify.table import table


def update(path: Path, out: Path, write: bool, seconds: float) -> int:
    """Update one adapter; 0 up to date, 1 the spec has to change or the adapter does not pass.

    Raises `Failed`. What was changed in the spec is taken back unless all of it succeeds.
    """
    spec = with_lock(path, None)
    require()
    from adaptergen.verify.observe.entry import release

    (new,) = observe([spec], seconds)
    if isinstance(new, Failed):
        raise new
    old, name = spec.before[1], release()
    found = drift_between(spec.plan, spec.source, spec.shown, spec.before, (name, new))
    sys.stdout.write(as_text(DriftReport((found,))))
    edits = derived_edits(spec.plan, spec.source, old, new, found.findings)
    proved = proved_edit(spec.source, spec.plan, name.partition("/")[0])
    texts = edited([*edits, *([proved] if proved else [])])
    sys.stdout.write(diff(texts))
    sys.stdout.flush()
    if edits and not write:
        print("The spec has to change first: add --write to change it as shown.", file=sys.stderr)
        return 1
    before = {file: file.read_text(encoding="utf-8") for file in texts}
    done = False
    try:
        for file, text in texts.items() if write else ():
            file.write_text(text, encoding="utf-8", newline="\n")
        done = _made_anew(path, out, seconds)
        return 0 if done else 1
    finally:
        for file, text in before.items() if write and not done else ():
            file.write_text(text, encoding="utf-8", newline="\n")


def _made_anew(path: Path, out: Path, seconds: float) -> bool:
    """Hold the spec against what is observed, verify, then write lock and adapter."""
    from adaptergen.spec.load import load_shape

    # They may just have been edited.
    load_shape.cache_clear()
    spec = with_lock(path, None)
    lock = with_entry(spec, *observe([spec], seconds))
    problems = disagreements(spec.plan, lambda: spec.source, lock)
    if problems:
        raise Failed(problems)
    if not _verified(spec):
        return False
    beside, kept = lock_path(path), lock_path(path).read_text(encoding="utf-8")
    write_lock(beside, lock_text(lock))
    report = build(out, [generate(path)], write=True, force=False)
    for line in (report.refusal, *report.lines, report.summary):
        print(line, end="\n" if line else "", file=sys.stderr)
    if report.exit_code:
        write_lock(beside, kept)
    return not report.exit_code


def _verified(spec: Known) -> bool:
    from adaptergen.verify.findings import SpecResult
    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers.tiny import tiny

    target = load_target(spec.path)
    sheets = tuple(tiny(target))
    result = SpecResult(spec.plan.spec.module, spec.shown, spec.plan.spec.architecture, sheets)
    report = Report("tiny", (result,), (), None)
    print(table(report))
    return not report.exit_code
