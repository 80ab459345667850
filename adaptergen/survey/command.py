"""`adaptergen survey`: from arguments to a table, JSON, a page and an exit code."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from adaptergen import guard, resources
from adaptergen.coverage import (
    SurveyedClass,
    SurveyRecord,
    SurveyTable,
    Task,
    joined,
    tables_of,
)
from adaptergen.emit import put
from adaptergen.inspection.fault_isolation import Job, each_limited
from adaptergen.problems import Failed, InputError, quote, suggestion
from adaptergen.survey.judge import worse
from adaptergen.survey.page import page, summary
from adaptergen.verify.environment import HEAVY, require

#: The committed table, in a checkout.
COMMITTED = Path("docs", "coverage.json")

#: A tiny model and its bridges need a tenth of it.
_MEMORY = 4 * 2**30
#: Folders of records that stay: of this state of adaptergen and of some before.
_KEPT = 4


def run(args: argparse.Namespace) -> int:
    """Survey, or join what was surveyed; then compare with the committed table, and report.

    Raises `InputError` for input that cannot be used.
    """
    before = _committed()
    if args.merge:
        tables = joined(tuple(table for path in args.merge for table in _read(path)))
    else:
        task: Task = args.task or "causal-lm"
        shard = args.shard or (1, 1)
        tables = (_survey(args.classes, task, shard, args.time_limit),)
    falls = [sentence for table in tables for sentence in worse(before, table)]
    told = "; ".join(map(summary, tables))
    record = SurveyRecord(
        outcome="worse" if falls else "fine",
        exit_code=int(bool(falls)),
        summary=told,
        worse=tuple(falls),
        tables=tables,
    )
    if args.json:
        record.write(args.json)
    if args.report:
        put(page(tables), args.report)
    for sentence in falls:
        print(f"worse: {sentence}", file=sys.stderr)
    print(told, file=sys.stderr if "-" in (args.json, args.report) else sys.stdout)
    return record.exit_code


def _survey(
    names: Sequence[str], task: Task, shard: tuple[int, int], seconds: float
) -> SurveyTable:
    require()
    # Before processes are forked, so that each finds it imported.
    from adaptergen.survey import classes

    known = classes.classes_of(task)
    for name in names:
        if name not in known:
            message = f"{quote(name)} is no class for {task} in the auto mapping of transformers"
            raise InputError(message, suggestion(name, known) or "name another class or --task")
    number, of = shard
    chosen = sorted(set(names or known))[number - 1 :: of]
    specs = classes.committed_specs()
    classes.warm()
    folder = _folder(task)
    found = {name: kept for name in chosen if (kept := _kept(folder, name))}
    if found:
        told = f"{len(found)} of {len(chosen)} classes are taken from {folder}"
        print(told, file=sys.stderr, flush=True)
    left = [name for name in chosen if name not in found]
    jobs = [Job(quote(n), partial(classes.surveyed, n, task, specs.get(n))) for n in left]

    def told_of(job: int, outcome: SurveyedClass | Failed) -> None:
        name, kept = left[job], outcome
        if isinstance(kept, Failed):
            # It may be only that this machine is slow, or was busy: it is tried again.
            found[name] = SurveyedClass(name=name, error=kept.problems[0].message)
        else:
            found[name] = kept
            _keep(folder, kept)
        line = f"[{len(found):3}/{len(chosen)}] {name}: {_line(found[name])}"
        print(line, file=sys.stderr, flush=True)

    each_limited(jobs, seconds, alone=True, memory=_MEMORY, told=told_of)
    return SurveyTable(
        task=task,
        transformers=version("transformers"),
        transformer_lens=version("transformer-lens"),
        torch=version("torch"),
        classes=tuple(found[name] for name in sorted(found)),
    )


def _line(one: SurveyedClass) -> str:
    if one.error:
        return one.error
    subjects = (("draft", one.draft), ("spec", one.spec), ("by hand", one.by_hand))
    parts = []
    for title, found in subjects:
        if found is not None:
            word = "is green" if found.green else "stands" if found.stands else "does not stand"
            parts.append(f"{title} {word}" + (f" ({found.why_not[0]})" if found.why_not else ""))
    return "; ".join(parts) or "no adapter"


def _committed() -> tuple[SurveyTable, ...]:
    root = resources.checkout()
    path = root / COMMITTED if root else None
    return _read(path) if path and path.is_file() else ()


def _read(path: Path) -> tuple[SurveyTable, ...]:
    try:
        return tables_of(guard.read(path, small=False).decode("utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        if isinstance(error, ValidationError):
            why = f"{error.error_count()} of its values are not those of a survey"
        hint = "name a file that `adaptergen survey --json FILE` wrote"
        raise InputError(f"{path.as_posix()} cannot be read: {why}", hint) from error


def _folder(task: Task) -> Path | None:
    """Where the records of this task are kept, for this adaptergen and these releases."""
    base = guard.cache_folder()
    if base is None:
        return None
    total = hashlib.sha256(repr([sys.version, *map(version, HEAVY.values())]).encode())
    for folder in (resources.DATA.parent, resources.specs(), resources.templates()):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".yaml", ".jinja", ".json") and path.is_file():
                total.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    folder = base / "survey" / f"{total.hexdigest()[:16]}-{task}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(folder)
        older = sorted(folder.parent.iterdir(), key=os.path.getmtime)
        for old in older[:-_KEPT]:
            for record in old.glob("*.record"):
                record.unlink()
            old.rmdir()
    return folder


def _kept(folder: Path | None, name: str) -> SurveyedClass | None:
    with suppress(OSError, ValueError):
        if folder is not None and guard.is_own(os.lstat(folder)):
            text = guard.read(folder / f"{name}.record", within=folder)
            return SurveyedClass.model_validate_json(text)
    return None


def _keep(folder: Path | None, found: SurveyedClass) -> None:
    with suppress(OSError):
        if folder is not None:
            data = found.model_dump_json().encode()
            guard.write_whole(folder / f"{found.name}.record", data, 0o600)
