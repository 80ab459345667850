"""`adaptergen export`: take what the specs describe to where it is used."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from adaptergen.cli.terminal import say

if TYPE_CHECKING:
    from adaptergen.output import Report

SUMMARY = "make an installable package of adapters"
DESCRIPTION = """\
Make of one or more specs a Python package that any user of TransformerLens can install: adapters,
their tests, a README with the hook pages, and entry points by which TransformerLens finds them.
The folder gives the package its name. Either all files are written or none: none if a spec has a
problem, if the folder holds anything else, or if a file in it was edited by hand.
"""
EXAMPLES = """\
examples:
  adaptergen export specs/helium.yaml --plugin tl-helium
  adaptergen export specs/*.yaml --plugin ~/src/tl-adapters      several in one package

exit codes:
  0 written or up to date; 1 edited by hand; 2 problems in a spec, the folder or the environment
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `export`."""
    parser.add_argument("specs", nargs="+", type=Path, metavar="SPEC", help="file of a spec")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--plugin", type=Path, metavar="DIR", help="make a package in this folder, named like it"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="with --plugin: overwrite files that were edited by hand",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Make the package."""
    return _plugin(args)


def _plugin(args: argparse.Namespace) -> int:
    import os

    from adaptergen.cli.wanted import without_doubles
    from adaptergen.generate import plan, project_path
    from adaptergen.output import build
    from adaptergen.plugin import plugin_wanted
    from adaptergen.problems import every

    paths = without_doubles(args.specs)
    plans = list(zip(paths, every(plan, paths), strict=True))
    folder = Path(os.path.abspath(args.plugin))
    wanted = plugin_wanted(folder, plans, [project_path(path) for path in paths])
    report = build(folder.parent, [wanted], force=args.force)
    _tell(report, args)
    return report.exit_code


def _tell(report: Report, args: argparse.Namespace) -> None:
    from adaptergen.output import Outcome

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
