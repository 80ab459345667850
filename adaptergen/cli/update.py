"""`adaptergen update`: bring an adapter up to the installed release of transformers."""

from __future__ import annotations

import argparse
from pathlib import Path

from adaptergen.cli.options import add_limit, add_out

SUMMARY = "bring an adapter up to the installed transformers"
DESCRIPTION = """\
Say what the installed transformers does to the adapter, and bring it up to it: the spec is held
against what is observed, the adapter verified, its lock and its files written. Where the spec has
to change and the change follows from what was observed (a module or a kind of layer has another
name, one more release is verified), it is shown as a diff, and made only with --write: without it
nothing is written, and the exit code is 1. Comments, order, quotes and line ends stay; a layout
that cannot be edited so is left to you. Nothing is written if the adapter does not pass.

Needs torch, transformers and transformer-lens: pip install 'adaptergen[verify]'
"""
EXAMPLES = """\
examples:
  adaptergen update specs/nemotron_h.yaml          show what has to change in the spec; if nothing
                                                   has to, lock and build
  adaptergen update specs/nemotron_h.yaml --write  change the spec, lock and build

exit codes:
  0 up to date; 1 the spec has to change, or the adapter does not pass; 2 problems in a spec, a lock
  or the environment, or an edit of the spec that has to be made by hand
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `update`."""
    parser.add_argument("spec", type=Path, metavar="SPEC", help="file of a spec")
    parser.add_argument("--write", action="store_true", help="change the spec as the diff shows")
    add_out(parser, "write the adapter")
    add_limit(parser)


def run(args: argparse.Namespace) -> int:
    """Update one adapter."""
    from adaptergen.observe.update import update

    code: int = update(args.spec, args.out, args.write, args.time_limit)
    return code
