"""The parser of the whole command line. Imported for every call: the standard library only."""

from __future__ import annotations

import argparse

from adaptergen import __version__
from adaptergen.cli import (
    audit,
    build,
    catalog,
    completion,
    drift,
    export,
    inspect,
    lock,
    schema,
    update,
    verify,
)

_EXAMPLES = """\
examples:
  adaptergen build specs/nemotron_h.yaml           write the adapter, its tests and its hook page
  adaptergen build --check specs/*.yaml            are the written files up to date?
  adaptergen verify specs/nemotron_h.yaml          compare the adapter with HF on a tiny model

exit codes:
  0 fine; 1 findings, stale or failed; 2 bad input or environment
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser; what it parses has `run`, the function of the command."""
    parser = argparse.ArgumentParser(
        prog="adaptergen",
        description="Generates TransformerLens architecture adapters from declarative specs.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"adaptergen {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        build, verify, inspect, lock, drift, update, export, audit, schema, catalog, completion,
    ):  # fmt: skip
        one = commands.add_parser(
            command.__name__.rpartition(".")[2],
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(one)
        one.set_defaults(run=command.run)
    return parser
