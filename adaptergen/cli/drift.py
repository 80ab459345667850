"""`adaptergen drift`: what a release of transformers does to adapters."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adaptergen.cli.options import add_json, add_limit, add_specs, check_options
from adaptergen.cli.terminal import record_failure, say

if TYPE_CHECKING:
    from adaptergen.records import DriftedSpec, DriftRecord

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
        "--format", choices=("text", "json", "github", "markdown"), default="text",
        help="how to print it (default: text)",
    )  # fmt: skip
    add_json(parser, "it as JSON too")
    add_limit(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, and print."""
    from adaptergen import emit
    from adaptergen.cli.build import COLLECTED_AFTER
    from adaptergen.drift.report import FORMATS
    from adaptergen.records import DriftRecord

    # As in a build; and what is imported lives to the end.
    gc.set_threshold(COLLECTED_AFTER)
    wanted = (args.json, "-" if args.format == "json" else None)
    # Two objects in one place would be none.
    targets = [target for target in dict.fromkeys(wanted) if target]
    try:
        record = _record(args)
    except Exception as error:  # JSON reports it too; `entry` prints it
        record_failure(error, targets, DriftRecord, "Nothing compared: ")
        raise
    for target in targets:
        record.write(target)
    if args.format != "json":
        text = FORMATS[args.format](record)
        if args.json == "-":
            say(text.rstrip("\n"))
        else:
            emit.put(text)
    return record.exit_code


def _record(args: argparse.Namespace) -> DriftRecord:
    from adaptergen.drift.report import drift_record

    check_options(args)
    specs: Sequence[Path] = list(dict.fromkeys(args.specs))
    if args.old is not None:
        from adaptergen.problems import every

        return drift_record(every(lambda path: between_entries(path, args.old, args.new), specs))
    from adaptergen.observe.commands import drift_from_installed

    return drift_record(drift_from_installed(specs, args.against, args.time_limit))


def between_entries(path: Path, old: str, new: str) -> DriftedSpec:
    """Between two entries of the lock."""
    from adaptergen.drift.advice import drift_between
    from adaptergen.generate import plan, project_path
    from adaptergen.lock.store import find_release, load_lock

    made = plan(path)
    lock, shown = load_lock(path, made.spec.architecture)
    names = [find_release(lock, wanted, shown) for wanted in (old, new)]
    one, other = ((name, lock.entries[name]) for name in names)
    return drift_between(made, project_path(path), one, other)
