"""`adaptergen drift`: what a release of transformers does to adapters."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adaptergen.cli.options import add_json, add_limit, add_specs, check_options

if TYPE_CHECKING:
    from adaptergen.drift.report import Report, SpecDrift

SUMMARY = "say what a release of transformers does to adapters"
DESCRIPTION = """\
Compare what the lock of each spec has with what is installed, or two releases that the lock has.
Each change is reported once, the worst first:

  breaking  a module, class, field or kind of layer is gone or renamed, or the forward raises
  silent    it runs, and a hook no longer fires, fires now, or holds or does something else
  benign    nothing that the adapter rests on

With --from and --to nothing is imported but adaptergen. Otherwise torch, transformers and
transformer-lens are needed: pip install 'adaptergen[verify]'
"""
EXAMPLES = """\
examples:
  adaptergen drift specs/*.yaml                    the newest entry against what is installed
  adaptergen drift specs/*.yaml --against 5.17.0   another entry against what is installed
  adaptergen drift specs/nemotron_h.yaml --from 5.12.1 --to 5.13.0
  adaptergen drift specs/*.yaml --format github    annotations, for a nightly job

exit codes:
  0 nothing, or nothing but benign; 1 breaking or silent changes; 2 problems in a spec, a lock or
  the environment
"""
FORMATS = ("text", "json", "github", "markdown")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `drift`."""
    add_specs(parser)
    parser.add_argument(
        "--against", metavar="OLD",
        help="compare what is installed with this release of the lock (default: its newest)",
    )  # fmt: skip
    parser.add_argument("--from", dest="old", metavar="A", help="compare this release of the lock")
    parser.add_argument("--to", dest="new", metavar="B", help="with this one")
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="how to print it (default: text)"
    )
    add_json(parser, "it as JSON too")
    add_limit(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, and print."""
    from adaptergen import emit
    from adaptergen.cli.build import COLLECTED_AFTER
    from adaptergen.cli.terminal import say
    from adaptergen.records import DriftRecord

    # As in a build; and what is imported lives to the end.
    gc.set_threshold(COLLECTED_AFTER)
    wanted = (args.json, "-" if args.format == "json" else None)
    # Two objects in one place would be none.
    targets = [target for target in dict.fromkeys(wanted) if target]
    try:
        report = _report(args)
    except Exception as error:  # JSON reports it too; `entry` prints it
        _record_failure(targets, error)
        raise
    if targets:
        record = DriftRecord(
            outcome="drifted" if report.exit_code else "fine",
            exit_code=report.exit_code,
            summary=report.summary,
            specs=report.results,
        )
        for target in targets:
            record.write(target)
    if args.format != "json":
        from adaptergen.drift.report import FORMATS

        text = FORMATS[args.format](report)
        if args.json == "-":
            say(text.rstrip("\n"))
        else:
            emit.put(text)
    return report.exit_code


def _record_failure(targets: Sequence[str], error: Exception) -> None:
    """Say in JSON why nothing was compared, unless it is a mistake in adaptergen."""
    from adaptergen.cli.terminal import explained
    from adaptergen.problems import Failed
    from adaptergen.records import DriftRecord

    found = explained(error)
    if isinstance(error, Failed):
        why, problems = error.summary, error.shown
    elif found:
        why, problems = found[0], ()
    else:
        return
    summary = f"Nothing compared: {why}"
    record = DriftRecord(outcome="failed", exit_code=2, summary=summary, problems=problems)
    for target in targets:
        record.write(target)


def _report(args: argparse.Namespace) -> Report:
    from adaptergen.drift.report import Report

    check_options(args)
    specs: Sequence[Path] = list(dict.fromkeys(args.specs))
    if args.old is not None:
        from adaptergen.problems import every

        return Report(tuple(every(lambda path: between_entries(path, args.old, args.new), specs)))
    from adaptergen.observe.commands import drift_from_installed

    return Report(tuple(drift_from_installed(specs, args.against, args.time_limit)))


def between_entries(path: Path, old: str, new: str) -> SpecDrift:
    """Between two entries of the lock."""
    from adaptergen.drift.advice import drift_between
    from adaptergen.generate import plan_and_source, project_path
    from adaptergen.lock.store import find_release, load_lock

    made, source = plan_and_source(path)
    lock, shown = load_lock(path, made.spec.architecture)
    names = [find_release(lock, wanted, shown) for wanted in (old, new)]
    one, other = ((name, lock.entries[name]) for name in names)
    return drift_between(made, source, project_path(path), one, other)
