"""`adaptergen lock`: write down what an adapter rests on, as the installed transformers has it."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "write down what adapters rest on, as it is in the installed transformers"
DESCRIPTION = """\
Observe the models of the specs with the installed transformers and TransformerLens: modules and
what they return, which are called and whose weights a function uses instead, what the cache keeps,
and what each hook of the adapter does. It is written into the lock beside each spec, next to what
it has of other releases. A lock is never edited by hand.

A build refuses a spec that disagrees with its lock, and `adaptergen drift` compares releases.

Needs torch, transformers and transformer-lens: pip install 'adaptergen[verify]'
"""
EXAMPLES = """\
examples:
  adaptergen lock specs/nemotron_h.yaml            write specs/nemotron_h.lock.json
  adaptergen lock specs/*.yaml --check             exit code 1 if a lock lacks this release or
                                                   has observed something else; writes nothing

exit codes:
  0 written or up to date; 1 stale, with --check; 2 problems in a spec or the environment
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lock`."""
    parser.add_argument("specs", nargs="+", type=Path, metavar="SPEC", help="file of a spec")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a lock would change"
    )
    add_limit(parser)


def add_limit(parser: argparse.ArgumentParser) -> None:
    """How long all that is observed together may take."""
    parser.add_argument(
        "--time-limit", type=_seconds, default=120.0, metavar="SECONDS",
        help="end what takes longer to observe, for one class or spec (default: 120)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Observe, and write or check."""
    from adaptergen.verify.observe.command import lock

    code: int = lock(args.specs, args.check, args.time_limit)
    return code


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, such as 120")
    return seconds
