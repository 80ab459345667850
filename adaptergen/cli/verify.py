"""`adaptergen verify`: run what was generated against the models of transformers."""

from __future__ import annotations

import argparse
from pathlib import Path

from adaptergen.cli.options import add_json, add_specs, check_options
from adaptergen.cli.terminal import record_failure

SUMMARY = "compare adapters with the models of transformers"
DESCRIPTION = """\
Build each spec's adapter in memory and compare it with the model of transformers: logits,
generation, dimensions, which hooks there are, which fire, and which edits reach the logits. What
is not as promised is named with its layer, kind, hook, and line in the spec or shape.

tiers:
  tiny        the tiny models of the spec, with random weights, in seconds (default)
  width       the widths of real checkpoints, one layer of each kind, in bfloat16
  full        whole configurations of real checkpoints, without weights: what they consist of
  checkpoint  real weights: that each loads, logits and greedy tokens

Only the checkpoint tier may need a GPU or the network, and only for the checkpoint you name. Code
that it brings is run with --trust-remote-code only.

Needs torch, transformers and transformer-lens: pip install 'adaptergen[verify]'
"""
EXAMPLES = """\
examples:
  adaptergen verify specs/nemotron_h.yaml
  adaptergen verify specs/*.yaml --json report.json
  adaptergen verify specs/nemotron_h.yaml --tier full --config my_model/config.json
  adaptergen verify specs/nemotron_h.yaml --tier checkpoint --checkpoint my_model/
  adaptergen verify specs/nemotron_h.yaml --tier checkpoint --checkpoint my_model/ \\
      --device-map auto --max-memory cpu=8GB

exit codes:
  0 all as promised; 1 differences; 2 problems in a spec or the environment
"""
TIERS = ("tiny", "width", "full", "checkpoint")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `verify`."""
    add_specs(parser)
    parser.add_argument(
        "--tier", choices=TIERS, default="tiny", help="what to measure on (default: tiny)"
    )
    add_json(parser, "what was found as JSON")
    parser.add_argument(
        "--config", action="append", default=[], type=Path, metavar="FILE",
        help="for width and full: a config.json, or its folder, besides those known",
    )  # fmt: skip
    real = parser.add_argument_group("for the checkpoint tier")
    real.add_argument("--checkpoint", metavar="ID", help="a Hub id, or a folder")
    real.add_argument(
        "--device", help="where to run, such as cuda (default: a GPU if there is one)"
    )
    real.add_argument(
        "--dtype", default="auto", choices=("auto", "float32", "bfloat16", "float16"),
        help="type of the weights (default: auto, as they are stored)",
    )  # fmt: skip
    real.add_argument(
        "--device-map", metavar="MAP",
        help="let accelerate spread the model, such as auto; then --device says nothing",
    )  # fmt: skip
    real.add_argument(
        "--max-memory", action="append", default=[], type=_memory, metavar="DEVICE=SIZE",
        help="limit of one device, such as 0=20GB or cpu=8GB; repeat it for several",
    )  # fmt: skip
    real.add_argument(
        "--offload-folder", type=Path, metavar="DIR",
        help="where to put what fits no device (default: a temporary folder)",
    )  # fmt: skip
    real.add_argument(
        "--trust-remote-code", action="store_true",
        help="run code that the checkpoint brings, such as its tokenizer's",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Verify each spec."""
    try:
        check_options(args)
        from adaptergen.verify.command import run as verify

        code: int = verify(args)
        return code
    except Exception as error:  # JSON reports it too; `entry` prints it
        if args.json:
            from adaptergen.records import VerifyRecord

            record_failure(error, [args.json], VerifyRecord, tier=args.tier)
        raise


def _memory(text: str) -> tuple[int | str, str]:
    device, equals, size = text.partition("=")
    if not device or not equals or not size:
        raise argparse.ArgumentTypeError(f"{text!r} is not DEVICE=SIZE, such as cpu=8GB")
    return (int(device) if device.isdecimal() else device), size
