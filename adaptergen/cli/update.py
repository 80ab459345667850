"""`adaptergen update`: bring an adapter up to the installed release of transformers."""

from __future__ import annotations

import argparse
from pathlib import Path

from adaptergen.cli.lock import add_limit

SUMMARY = "bring an adapter up to the installed transformers"
DESCRIPTION = """\
Say what the installed transformers does to the adapter, and bring it up to it: the spec is held
against what is observed, the adapter verified, its lock and its files written. Where the spec has
to change and the change follows from what was observed (a module or a kind of layer has another
name, one more release is proved), it is shown as a diff, and made only with --write; comments and
order stay. Nothing is written if the adapter does not pass.

Needs torch, transformers and transformer-lens: pip install 'adaptergen[verify]'
"""
EXAMPLES = """\
examples:
  adaptergen update specs/nemotron_h.yaml          show what would change in the spec; lock, build
  adaptergen update specs/nemotron_h.yaml --write  and change the spec

exit codes:
  0 up to date; 1 the spec has to change, or the adapter does not pass; 2 problems in a spec, a lock
  or the environment
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `update`."""
    parser.add_argument("spec", type=Path, metavar="SPEC", help="file of a spec")
    parser.add_argument("--write", action="store_true", help="change the spec as the diff shows")
    parser.add_argument(
        "--out", type=Path, default=Path("generated"), metavar="DIR",
        help="write the adapter below this folder (default: generated)",
    )  # fmt: skip
    add_limit(parser)


def run(args: argparse.Namespace) -> int:
    """Update one adapter."""
    from adaptergen.verify.observe.update import update

    code: int = update(args.spec, args.out, args.write, args.time_limit)
    return code
