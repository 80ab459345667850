"""`adaptergen survey`: what holds of every model class of transformers."""

from __future__ import annotations

import argparse
from pathlib import Path

from adaptergen.cli.options import add_json, add_limit, add_report, check_options
from adaptergen.cli.terminal import record_failure

SUMMARY = "measure what holds of every model class of transformers"
DESCRIPTION = """\
Make a tiny model of every class of a task, draft an adapter for it, and measure the draft: logits
and greedy tokens against those of transformers, which hooks fire, which edits reach the logits,
and what is not hooked. A class with a committed spec is measured with that too, and beside it
stands the adapter of TransformerLens, if there is one, on the same model.

Each class has a process of its own, with limits of time and memory. What was measured is kept in
the user's cache folder as it comes, so a survey that was stopped goes on where it was.

Needs torch, transformers and transformer-lens: pip install 'adaptergen[verify]'
"""
EXAMPLES = """\
examples:
  adaptergen survey LlamaForCausalLM MambaForCausalLM
  adaptergen survey --json coverage.json --report coverage.md
  adaptergen survey --shard 2/8 --json shard-2.json     one of eight machines
  adaptergen survey --merge shard-*.json --json all.json

exit codes:
  0 nothing is worse than in the committed table; 1 a class is; 2 bad input or environment
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `survey`."""
    parser.add_argument(
        "classes", nargs="*", metavar="CLASS", help="class of transformers (default: all)"
    )
    parser.add_argument(
        "--task", choices=("causal-lm", "seq2seq-lm", "masked-lm"),
        help="whose classes (default: causal-lm)",
    )  # fmt: skip
    add_json(parser, "everything that was measured as JSON")
    add_report(parser, "a page with the tables, as Markdown")
    parser.add_argument(
        "--shard", type=_shard, metavar="K/N",
        help="measure only the K-th of N parts of the classes",
    )  # fmt: skip
    parser.add_argument(
        "--merge", nargs="+", type=Path, metavar="FILE",
        help="measure nothing; join the JSON of other surveys",
    )  # fmt: skip
    add_limit(parser)


def run(args: argparse.Namespace) -> int:
    """Survey and report."""
    check_options(args)
    from adaptergen.coverage import SurveyRecord
    from adaptergen.survey.command import run as survey

    try:
        code: int = survey(args)
        return code
    except Exception as error:  # JSON reports it too; `entry` prints it
        record_failure(error, [args.json], SurveyRecord)
        raise


def _shard(text: str) -> tuple[int, int]:
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with K from 1 to N, such as 2/8")
    return int(number), int(of)
