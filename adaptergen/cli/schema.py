"""`adaptergen schema`: the JSON Schemas of what adaptergen reads and writes."""

from __future__ import annotations

import argparse

from adaptergen.cli.terminal import say

SUMMARY = "print the JSON Schema of specs, shapes, locks, or what a command writes"
DESCRIPTION = """\
Print the JSON Schema of specs, of shapes, of locks, or of what a command writes with --json. An
editor with a YAML language server completes and checks a file that names its schema in a comment
at the top.
"""
NAMES = ("spec", "shape", "audit", "build", "drift", "inspect", "lock", "survey", "verify")
EXAMPLES = """\
examples:
  adaptergen schema > spec.schema.json             of specs
  adaptergen schema shape > shape.schema.json      of shapes
  adaptergen schema drift                          of what `drift --json` writes
  adaptergen schema --check                        are the committed ones up to date?
  adaptergen schema --write                        bring them up to date, in a checkout

in an editor:
  # yaml-language-server: $schema=spec.schema.json

exit codes:
  0 fine; 1 a committed schema is stale; 2 bad arguments or environment
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `schema`."""
    parser.add_argument("name", nargs="?", choices=NAMES, help="what it describes (default: spec)")
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--check", action="store_true",
        help="print nothing; exit code 1 if the committed schema (or any) is stale",
    )  # fmt: skip
    action.add_argument(
        "--write", action="store_true", help="write the committed schema (or all) anew"
    )


def run(args: argparse.Namespace) -> int:
    """Print, check or write."""
    from adaptergen import emit, guard
    from adaptergen.resources import schema
    from adaptergen.schemas import MODELS, schema_text

    if not (args.check or args.write):
        emit.put(schema_text(args.name or "spec"))
        return 0
    names = [name for name in MODELS if args.name in (None, name)]
    texts = {schema(name): schema_text(name) for name in names}
    stale = [path for path, text in texts.items() if not guard.has_text(path, text)]
    for path in stale:
        if args.write:
            guard.write_whole(path, texts[path].encode())
        say(f"{'wrote' if args.write else 'stale'}: {path.name}")
    if stale and args.check:
        say("Stale: run `adaptergen schema --write`.")
        return 1
    if not stale:
        say("Fine: up to date.")
    return 0
