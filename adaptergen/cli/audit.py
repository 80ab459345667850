"""`adaptergen audit`: what is wrong in the registries of a TransformerLens."""

from __future__ import annotations

import argparse
from pathlib import Path

from adaptergen.cli.options import add_json, check_options
from adaptergen.cli.terminal import say

SUMMARY = "find what is wrong in the registries of TransformerLens"
DESCRIPTION = """\
Compare all places where TransformerLens registers architectures with each other and with the
adapters that there are: missing, extra and double entries, wrong classes, adapters that are never
registered, missing descriptions, gaps that are none; and the attributes that an adapter reads from
its config with a default and that never reach it. Everything is read, nothing of it is run.
"""
EXAMPLES = """\
examples:
  adaptergen audit                                 the installed TransformerLens
  adaptergen audit ~/src/TransformerLens --fix     fix in a checkout what can be fixed
  adaptergen audit . --format github               annotations, in a workflow of upstream
  adaptergen audit --json -                        the same for programs

exit codes:
  0 nothing found, or all of it fixed; 1 findings; 2 no TransformerLens, or it cannot be read
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `audit`."""
    parser.add_argument(
        "path", nargs="?", type=Path, metavar="PATH",
        help="checkout or package folder (default: the installed TransformerLens)",
    )  # fmt: skip
    parser.add_argument(
        "--fix", action="store_true",
        help="fix what can be fixed, all or nothing; needs PATH, so that no installed package "
        "is changed unasked",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("text", "github"), default="text",
        help="how findings are printed (default: text)",
    )  # fmt: skip
    add_json(parser, "what was found as JSON")


def run(args: argparse.Namespace) -> int:
    """Audit, and fix if asked."""
    from adaptergen import emit
    from adaptergen.audit.audit import as_github, as_record, as_text, audit, fixed
    from adaptergen.catalogue.library import package_of

    check_options(args)
    hint = "Name a checkout: `adaptergen audit PATH`."
    found = audit(package_of(args.path, hint))
    if args.fix:
        changed = fixed(found)
        before = len(found.findings)
        found = audit(args.path)
        for entry in changed:
            say(f"changed: {entry.path}")
        say(f"Fixed {before - len(found.findings)} of {before} findings.")
    if args.json:
        as_record(found).write(args.json)
    if args.json != "-":
        lines = as_github(found) if args.format == "github" else as_text(found)
        emit.put("".join(f"{line}\n" for line in lines))
    count = len(found.findings)
    counted = f"{count} finding{'' if count == 1 else 's'}" if count else "Fine: no findings"
    say(f"{counted} in TransformerLens {found.version}.")
    return found.exit_code
