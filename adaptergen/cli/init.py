"""`adaptergen init`: draft the spec of a model class."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from adaptergen.cli.options import add_json, add_limit, check_options

SUMMARY = "draft the spec of a model class, and say what of it holds"
DESCRIPTION = """\
Run a small model of a class of transformers, and write the spec that says what was seen: the
modules and their roles, the residual stream, attention with queries, keys, values, scores and
pattern, and the contract of each hook. Then build the adapter, verify it, and run its tests.

TARGET is a model class or config class of transformers, a folder with a config.json, or the id of
a model on the Hub. A module that no shape fits gets a shape of its own in `shapes/` beside the
spec. What no machine knows is marked with TODO.

Needs torch, transformers and transformer-lens: pip install 'adaptergen[verify]'
"""
EXAMPLES = """\
examples:
  adaptergen init LlamaForCausalLM                 write specs/llama.yaml and generated/llama/
  adaptergen init ./my_model --out my/specs/x.yaml for a folder with a config.json
  adaptergen init LlamaForCausalLM --compare       what a new draft would change; writes nothing

exit codes:
  0 all as promised; 1 findings, and the spec is kept; 2 bad input or environment
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `init`."""
    parser.add_argument("target", metavar="TARGET", help="class, folder with a config.json, or id")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the spec here (default: specs/NAME.yaml)"
    )
    parser.add_argument(
        "--compare", action="store_true", help="write nothing; print what would change"
    )
    parser.add_argument("--force", action="store_true", help="overwrite a spec that is there")
    parser.add_argument(
        "--no-verify", action="store_false", dest="verify", help="write the spec and no more"
    )
    parser.add_argument(
        "--generated", type=Path, default=Path("generated"), metavar="DIR",
        help="write the adapter and its tests below this folder (default: generated)",
    )  # fmt: skip
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run code that the folder or id brings"
    )
    add_limit(parser)
    add_json(parser, "what was found as JSON")


def run(args: argparse.Namespace) -> int:
    """Draft, write, build, verify and test."""
    check_options(args)
    from adaptergen.verify.environment import require

    require()
    from adaptergen.draft import command

    files = command.placed(
        command.drafted(args.target, args.trust_remote_code, args.time_limit), args.out
    )
    if args.compare:
        lines = list(command.differences(files))
        sys.stdout.writelines(lines)
        return 1 if lines else 0
    command.write(files, args.force)
    path, *shapes = files
    if not args.verify:
        print(f"spec: {path.as_posix()}; `adaptergen build {path.as_posix()}` makes the adapter")
        return 0
    return command.report(path, len(shapes), args.generated, args.json)
