"""Arguments that several commands have, checked before anything is done."""

from __future__ import annotations

import argparse
import os


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Where to write JSON."""
    parser.add_argument(
        "--json", type=_target, metavar="FILE", help=f"write {what}; - is standard output"
    )


def _target(text: str) -> str:
    """A file that can be written, as far as that can be told without opening it.

    To open it would end what reads from a pipe, and leave an empty file where a command fails.
    """
    if not text:
        raise argparse.ArgumentTypeError("no file is named; is it a variable that is not set?")
    if text == "-":
        return text
    folder = os.path.dirname(text) or "."
    if os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text}: this is a folder; name a file in it")
    if not os.path.isdir(folder):
        raise argparse.ArgumentTypeError(f"{text}: there is no folder {folder}")
    if not os.access(text if os.path.exists(text) else folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text}: this cannot be written")
    from adaptergen.emit import refuses

    if why := refuses(text):
        raise argparse.ArgumentTypeError(f"{text}: {why}")
    return text
