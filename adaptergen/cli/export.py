"""`adaptergen export`: take what the specs describe to where it is used."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from adaptergen.cli.options import add_specs, check_options
from adaptergen.cli.terminal import say

if TYPE_CHECKING:
    from adaptergen.export.command import Done
    from adaptergen.output.compare import Report

SUMMARY = "contribute adapters to TransformerLens, or make a package of them"
DESCRIPTION = """\
--into: put adapters and their tests into a checkout of TransformerLens, and make every edit that
registers them. Each edit inserts one entry, in order where the others are in order; every other
byte of the file stays. Either everything is written or nothing. A second run changes nothing.

--plugin: make a Python package that any user of TransformerLens can install: adapters, their
tests, a README with the hook pages, and entry points by which TransformerLens finds them. The
folder gives the package its name. Either all files are written or none: none if a spec has a
problem, if the folder holds anything else, or if a file in it was edited by hand.
"""
EXAMPLES = """\
examples:
  adaptergen export specs/helium.yaml --into ~/src/TransformerLens --branch add-helium --dry-run
  adaptergen export specs/helium.yaml --into ~/src/TransformerLens --branch add-helium
  adaptergen export specs/nemotron_h.yaml --into ~/src/TransformerLens --branch nemotron-h --replace
  adaptergen export specs/helium.yaml --plugin tl-helium
  adaptergen export specs/*.yaml --plugin ~/src/tl-adapters      several in one package

exit codes:
  0 written or up to date; 1 a check of the checkout or the commit failed, or a package was edited
  by hand;
  2 refused, nothing was written: problems in a spec, the folder, the checkout or the environment
"""
#: Why the text of a pull request has no figures.
_LEFT_OUT = "it was not run (--no-check)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `export`."""
    add_specs(parser)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--into", type=Path, metavar="PATH", help="checkout of TransformerLens")
    target.add_argument(
        "--plugin", type=Path, metavar="DIR", help="make a package in this folder, named like it"
    )
    package = parser.add_argument_group("with --plugin")
    package.add_argument(
        "--force", action="store_true", help="overwrite files that were edited by hand"
    )
    checkout = parser.add_argument_group("with --into")
    checkout.add_argument(
        "--dry-run", action="store_true",
        help="write nothing; print one diff that `git apply` takes, or refuse as the export would",
    )  # fmt: skip
    checkout.add_argument(
        "--branch", metavar="NAME", help="make this branch, and commit what is written there"
    )
    checkout.add_argument(
        "--replace", action="store_true",
        help="take the place of an adapter that TransformerLens has; reports all that is removed",
    )  # fmt: skip
    checkout.add_argument(
        "--pr", type=Path, metavar="FILE",
        help="write the text of the pull request, in the sections of upstream's template, into a "
        "new file",
    )  # fmt: skip
    checkout.add_argument(
        "--no-check", dest="check", action="store_false",
        help="leave out what is run on the checkout afterwards: pycln, isort, black, mypy, "
        "upstream's test of the registries, the new tests, and the audit",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Export to a checkout, or make a package."""
    check_options(args)
    return _plugin(args) if args.plugin is not None else _checkout(args)


def _checkout(args: argparse.Namespace) -> int:
    from adaptergen import emit, guard
    from adaptergen.export.checks import Check, run_checks, verified
    from adaptergen.export.command import dry_run, export
    from adaptergen.export.pull_request import pull_request

    if args.dry_run:
        done = dry_run(args.into, args.specs, args.replace, args.branch)
        emit.put(done.diff)
        _tell(done, "Would change")
    else:
        done = export(args.into, args.specs, args.replace, args.branch)
        _tell(done, "Changed")
    checks: list[Check] = []
    records: list[dict[str, object] | str] = [_LEFT_OUT for _ in args.specs]
    if args.check and not args.dry_run:
        for check in run_checks(done.made):
            say(check.line)
            checks.append(check)
    if args.pr is not None:
        if args.check:
            records = [verified(spec) for spec in args.specs]
        text = pull_request(done.made, checks, records)
        guard.write_new(args.pr, text.encode())
        say(f"Wrote {args.pr}.")
    failed = done.uncommitted or any(check.passed is False for check in checks)
    return 1 if failed else 0


def _tell(done: Done, word: str) -> None:
    if done.recovered:
        say("an interrupted export was recovered first")
    for note in done.made.notes:
        say(f"note: {note}")
    for adapter in done.made.adapters:
        for line in adapter.replaced:
            say(line)
        for note in adapter.notes:
            say(f"note: {note}")
    for entry in done.entries:
        say(f"{entry.state.value}: {entry.path}")
    count = len(done.entries)
    say(f"{word} {count} file{'' if count == 1 else 's'}." if count else "Fine: nothing to change.")
    if done.committed:
        say(f"Committed on the branch {done.branch}.")
    if done.uncommitted:
        say(f"FAILED: the commit ({done.uncommitted})")
        say(f"  The files are written, on the branch {done.branch}; only the commit is missing.")
        say("  hint: fix that, then run the same command again, or `git commit`")


def _plugin(args: argparse.Namespace) -> int:
    import os

    from adaptergen.cli.build_cache import without_doubles
    from adaptergen.generate import plan, project_path
    from adaptergen.output.transaction import build
    from adaptergen.plugin import plugin_tree
    from adaptergen.problems import every

    paths = without_doubles(args.specs)
    plans = list(zip(paths, every(plan, paths), strict=True))
    folder = Path(os.path.abspath(args.plugin))
    wanted = plugin_tree(folder, plans, [project_path(path) for path in paths])
    report = build(folder.parent, [wanted], force=args.force)
    _tell_package(report, args)
    return report.exit_code


def _tell_package(report: Report, args: argparse.Namespace) -> None:
    from adaptergen.output.compare import Outcome

    say(report.refusal)
    for line in report.lines:
        say(line)
    if report.outcome is Outcome.REFUSED:
        command = ["adaptergen", "export", *map(str, args.specs), "--plugin", str(args.plugin)]
        say("Nothing written: move the edits into files of your own, or overwrite them with")
        say(f"`{shlex.join([*command, '--force'])}`.")
        return
    # Its hints name the option of `build`.
    say(report.summary.replace("--out", "--plugin"))
    if report.outcome is Outcome.WRITTEN:
        say(f"Next: add a LICENSE to {args.plugin}, then `python -m build {args.plugin}`.")
