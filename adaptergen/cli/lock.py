"""`adaptergen lock`: write down what an adapter rests on, as the installed transformers has it."""

from __future__ import annotations

import argparse

from adaptergen.cli.options import add_limit, add_specs

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
    add_specs(parser)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a lock would change"
    )
    add_limit(parser)


def run(args: argparse.Namespace) -> int:
    """Observe, and write or check."""
    from adaptergen.observe.commands import lock

    code: int = lock(args.specs, args.check, args.time_limit)
    return code
