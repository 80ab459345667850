"""`adaptergen verify`: run what was generated against the models of transformers."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "compare adapters with the models of transformers"
DESCRIPTION = """\
Build each spec's adapter in memory and compare it with the model of transformers: logits,
generation, the dimensions of every hook, and which hooks fire. The tiny tier makes a small model
with random weights; it needs neither a GPU nor the network.

Needs torch, transformers and transformer-lens: pip install 'adaptergen[verify]'
"""
EXAMPLES = """\
examples:
  adaptergen verify specs/nemotron_h.yaml
  adaptergen verify specs/*.yaml --json report.json

exit codes:
  0 all as promised; 1 differences; 2 problems in a spec or the environment
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `verify`."""
    parser.add_argument("specs", nargs="+", type=Path, metavar="SPEC", help="file of a spec")
    parser.add_argument(
        "--tier", choices=("tiny",), default="tiny", help="what to run on (default: tiny)"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="write what was found as JSON; - is standard output"
    )


def run(args: argparse.Namespace) -> int:
    """Verify each spec."""
    from adaptergen.verify.command import run as verify

    code: int = verify(args)
    return code
