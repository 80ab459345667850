"""`adaptergen build`: write what the specs describe, or say what differs."""

from __future__ import annotations

import argparse
import gc
import os

from adaptergen.cli.options import add_json, add_out, add_specs
from adaptergen.cli.terminal import record_failure, say

#: New objects, less those that are gone, after which Python looks for garbage.
COLLECTED_AFTER = 100_000

SUMMARY = "write adapters, their tests and their hook pages"
DESCRIPTION = """\
Write, for each spec, the adapter, its tests and its hook page to DIR/<module>/. Either all files
of a call are written or none: none if any spec has a problem, and none if a file below DIR was
edited by hand. A spec is found with the shapes in `shapes/` beside it, or else with the shapes
that come with adaptergen.

Where a lock lies beside a spec (see `adaptergen lock`), the spec has to agree with what was
observed of transformers; without one, a build says that it is unverified.
"""
EXAMPLES = """\
examples:
  adaptergen build specs/nemotron_h.yaml           write generated/nemotron_h/
  adaptergen build specs/*.yaml --out ../out       write several specs elsewhere
  adaptergen build specs/*.yaml --check            for CI: exit code 1 if anything is stale
  adaptergen build specs/*.yaml --diff | less      what a build would change; writes nothing
  adaptergen build specs/*.yaml --check --json -   the same for programs

exit codes:
  0 written or up to date; 1 stale, or edited by hand; 2 problems in a spec or the environment
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `build`."""
    add_specs(parser)
    add_out(parser, "write")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a file would change"
    )
    parser.add_argument(
        "--diff", action="store_true", help="write nothing; print what a build would change"
    )
    parser.add_argument(
        "--force", action="store_true",
        help="overwrite files that were edited by hand or not made by adaptergen",
    )  # fmt: skip
    add_json(parser, "what was found as JSON")


def run(args: argparse.Namespace) -> int:
    """Build, check or show the difference."""
    # Most of what a build makes lives to its end: looking through it again and again frees little.
    gc.set_threshold(COLLECTED_AFTER)
    # Nothing that happens to be installed has a say in what a spec is; and to look for plugins,
    # pydantic would read the entry points of every package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from adaptergen.cli.build_cache import output_trees
    from adaptergen.lock.paths import unverified
    from adaptergen.output.transaction import build
    from adaptergen.problems import Failed

    try:
        trees = output_trees(args.specs)
    except Failed as failed:
        if args.json:
            from adaptergen.records import BuildRecord

            record_failure(failed, [args.json], BuildRecord, "Nothing written: ")
        raise
    report = build(args.out, trees, write=not (args.check or args.diff), force=args.force)
    say(unverified(args.specs))
    if args.diff:
        from adaptergen import emit

        emit.put(report.diff)
    else:
        say(report.refusal)
    for line in (*report.lines, report.summary):
        say(line)
    # Last: what was written is reported, whatever becomes of this.
    if args.json:
        from adaptergen.records import build_record

        build_record(report).write(args.json)
    return report.exit_code
