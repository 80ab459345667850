"""`adaptergen export`: put adapters where others can use them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from adaptergen.cli.terminal import say

if TYPE_CHECKING:
    from adaptergen.export import Done

SUMMARY = "contribute adapters to a checkout of TransformerLens"
DESCRIPTION = """\
Put an adapter and its tests into a checkout of TransformerLens, and make every edit that
registers it. Each edit inserts one entry, where the others are in order in order; every other byte
of the file stays. Either everything is written or nothing. A second run changes nothing.
"""
EXAMPLES = """\
examples:
  adaptergen export specs/helium.yaml --into ~/src/TransformerLens --dry-run | less
  adaptergen export specs/helium.yaml --into ~/src/TransformerLens --branch add-helium
  adaptergen export specs/nemotron_h.yaml --into ~/src/TransformerLens --branch nemotron-h --replace

exit codes:
  0 written, or nothing to write; 1 a check of the checkout failed; 2 refused, nothing was written
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `export`."""
    parser.add_argument("specs", nargs="+", type=Path, metavar="SPEC", help="file of a spec")
    parser.add_argument(
        "--into", type=Path, required=True, metavar="PATH", help="checkout of TransformerLens"
    )
    parser.add_argument(
        "--dry-run", action="store_true",
        help="write nothing; print one diff that `git apply` takes",
    )  # fmt: skip
    parser.add_argument(
        "--branch", metavar="NAME", help="make this branch, and commit what is written there"
    )
    parser.add_argument(
        "--replace", action="store_true",
        help="take the place of an adapter that TransformerLens has; tells all that goes with it",
    )  # fmt: skip
    parser.add_argument(
        "--pr", type=Path, metavar="FILE",
        help="write the text of the pull request, in the sections of upstream's template",
    )  # fmt: skip
    parser.add_argument(
        "--no-check", dest="check", action="store_false",
        help="leave out what is run on the checkout afterwards: pycln, isort, black, mypy, "
        "upstream's test of the registries, the new tests, and the audit",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Export, or show the difference."""
    from adaptergen import export

    if args.dry_run:
        done = export.dry_run(args.into, args.specs, args.replace)
        sys.stdout.write(done.diff)
        sys.stdout.flush()
        _tell(done, "Would change")
    else:
        done = export.run(args.into, args.specs, args.replace, args.branch)
        _tell(done, "Changed")
    checks: list[export.Check] = []
    records: list[dict[str, object] | None] = [None for _ in args.specs]
    if args.check and not args.dry_run:
        for check in export.run_checks(done):
            say(check.line)
            checks.append(check)
    if args.pr is not None:
        if args.check:
            records = [export.verified(spec) for spec in args.specs]
        text = export.pull_request(done, checks, records)
        args.pr.write_text(text, encoding="utf-8", newline="\n")
        say(f"Wrote {args.pr}.")
    return 1 if any(check.passed is False for check in checks) else 0


def _tell(done: Done, word: str) -> None:
    if done.recovered:
        say("an interrupted export was settled first")
    for adapter in done.export.adapters:
        for line in adapter.replaced.lines if adapter.replaced else ():
            say(line)
        for note in adapter.notes:
            say(f"note: {note}")
    for entry in done.entries:
        say(f"{entry.state.value}: {entry.path}")
    count = len(done.entries)
    say(f"{word} {count} file{'' if count == 1 else 's'}." if count else "Fine: nothing to change.")
    if done.committed:
        say(f"Committed on the branch {done.branch}.")
