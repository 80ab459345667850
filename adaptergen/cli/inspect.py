"""`adaptergen inspect`: what transformers does, as data."""

from __future__ import annotations

import argparse

from adaptergen.cli.options import add_json, add_limit
from adaptergen.cli.terminal import explained, say

SUMMARY = "show what a model of transformers is and does"
DESCRIPTION = """\
Build a tiny model of a class of transformers, with random weights and a layer of each kind, run
it, and show what was seen: the fields of its config, the modules of each kind of layer, which are
called and which are only used by functions, what each takes and returns, and its cache.

TARGET is a model class of transformers, a config class, which stands for its causal model, a spec,
a folder with a config.json, whose values then take the place of the defaults, or the id of a model
on the Hub, whose config.json is downloaded and nothing else. No weights are needed. Code of a
folder or id is run with --trust-remote-code only.

Needs torch and transformers: pip install 'adaptergen[verify]'
"""
EXAMPLES = """\
examples:
  adaptergen inspect NemotronHForCausalLM
  adaptergen inspect specs/deepseek_v2.yaml --branches
  adaptergen inspect my_model/ --json facts.json

exit codes:
  0 observed; 2 it could not be, and why
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `inspect`."""
    parser.add_argument("target", metavar="TARGET", help="class, spec, folder, or id")
    parser.add_argument(
        "--branches", action="store_true",
        help="also a model for each branch that the config opens",
    )  # fmt: skip
    add_json(parser, "what was seen as JSON")
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run code that the folder or id brings"
    )
    add_limit(parser)


def run(args: argparse.Namespace) -> int:
    """Observe a target."""
    from adaptergen import emit
    from adaptergen.inspection.table import table
    from adaptergen.inspection.target import inspect_target
    from adaptergen.problems import Failed, Problem
    from adaptergen.records import InspectRecord

    try:
        facts = inspect_target(args.target, args.branches, args.trust_remote_code, args.time_limit)
    except (Failed, ImportError) as error:  # JSON reports it too; `entry` prints it
        found = explained(error)
        problems = [Problem("hf-import", *found)] if found else []
        if isinstance(error, Failed):
            problems = [*error.shown]
        # Without any it is a mistake in adaptergen.
        if args.json and problems:
            record = InspectRecord(
                target=args.target, outcome="failed", exit_code=2, problems=problems
            )
            record.write(args.json)
        raise
    if args.json:
        record = InspectRecord(target=args.target, outcome="fine", exit_code=0, facts=facts)
        record.write(args.json)
    if args.json == "-":
        say(table(facts))
    else:
        emit.put(f"{table(facts)}\n")
    return 0
