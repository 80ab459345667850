"""Options that several commands have, and which options of a command go together.

Imported for every call: the standard library only.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path


def add_specs(parser: argparse.ArgumentParser) -> None:
    """The specs of a call."""
    parser.add_argument("specs", nargs="+", type=Path, metavar="SPEC", help="file of a spec")


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    """Where to write generated files."""
    parser.add_argument(
        "--out", type=Path, default=Path("generated"), metavar="DIR",
        help=f"{what} below this folder (default: generated)",
    )  # fmt: skip


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Where to write JSON."""
    parser.add_argument(
        "--json", type=_target, metavar="FILE", help=f"write {what}; - is standard output"
    )


def add_report(parser: argparse.ArgumentParser, what: str) -> None:
    """Where to write a page."""
    parser.add_argument(
        "--report", type=_target, metavar="FILE", help=f"write {what}; - is standard output"
    )


def add_limit(parser: argparse.ArgumentParser) -> None:
    """How long all that is observed together may take."""
    parser.add_argument(
        "--time-limit", type=_seconds, default=120.0, metavar="SECONDS",
        help="end what takes longer to observe, for one class or spec (default: 120)",
    )  # fmt: skip


def check_options(args: argparse.Namespace) -> None:
    """Raise `InputError` for options that do not go together, or that would have no effect."""
    rules = {"audit": _audit, "drift": _drift, "export": _export, "init": _init, "survey": _survey,
             "verify": _verify}  # fmt: skip
    for wrong, message, hint in rules[args.command](args):
        if wrong:
            from adaptergen.problems import InputError

            raise InputError(message, hint)


#: Whether a rule is broken, what is wrong, and the hint.
_Rules = Iterator[tuple[bool, str, str]]


def _audit(args: argparse.Namespace) -> _Rules:
    installed = args.fix and args.path is None
    yield installed, "--fix changes files: name the checkout.", "`adaptergen audit PATH --fix`"


def _drift(args: argparse.Namespace) -> _Rules:
    # An empty text is a release too, which no lock has: it may be a variable that is not set.
    pair = args.old is not None, args.new is not None
    message = "--from and --to go together, and --against without them"
    hint = "`--from A --to B`, or `--against OLD` for what is installed"
    yield any(pair) and not all(pair), message, hint
    yield any(pair) and args.against is not None, message, hint


def _export(args: argparse.Namespace) -> _Rules:
    into = {
        "--dry-run": args.dry_run, "--branch": args.branch is not None, "--replace": args.replace,
        "--pr": args.pr is not None, "--no-check": not args.check,
    }  # fmt: skip
    for option, given in into.items():
        message = f"{option} goes with --into, not with --plugin"
        yield given and args.plugin is not None, message, f"leave out {option}, or name a checkout"
    message = "--force goes with --plugin, not with --into"
    yield args.force and args.into is not None, message, "leave out --force"
    if args.pr is not None:
        # Before anything else is written.
        why, hint = _unwritable(str(args.pr)), "name another file with --pr"
        yield bool(why), f"{args.pr}: {why}", hint
        message = f"{args.pr}: this is there already, and is not overwritten"
        yield os.path.lexists(args.pr), message, f"remove it, or {hint}"


def _survey(args: argparse.Namespace) -> _Rules:
    measured = {"CLASS": args.classes, "--task": args.task, "--shard": args.shard}
    for option, given in measured.items():
        message = f"--merge joins what was measured, and takes no {option}"
        yield bool(args.merge and given), message, f"leave out {option}"
    message = "--json and --report both write to standard output"
    yield args.json == args.report == "-", message, "name a file for one of them"


def _init(args: argparse.Namespace) -> _Rules:
    nothing = args.compare or not args.verify
    message = "--json writes what verification finds"
    yield bool(args.json) and nothing, message, "leave out --json, or --compare and --no-verify"
    yield args.compare and args.force, "--compare writes nothing", "leave out --force"


def _verify(args: argparse.Namespace) -> _Rules:
    of_checkpoint = (
        args.checkpoint, args.device, args.dtype != "auto", args.device_map, args.max_memory,
        args.offload_folder, args.trust_remote_code,
    )  # fmt: skip
    if args.tier == "checkpoint":
        message, hint = "the checkpoint tier needs weights", "add --checkpoint HUB_ID_OR_FOLDER"
        yield not args.checkpoint, message, hint
        yield len(args.specs) > 1, "a checkpoint is of one architecture", "name one spec"
        unmapped = (args.max_memory or args.offload_folder) and not args.device_map
        yield bool(unmapped), "memory limits need a device map", "add --device-map auto"
    else:
        message = f"the {args.tier} tier loads no checkpoint"
        yield any(of_checkpoint), message, "add --tier checkpoint"
    message = f"the {args.tier} tier takes no --config"
    widths = args.tier in ("width", "full")
    yield bool(args.config) and not widths, message, "add --tier full or --tier width"


def _target(text: str) -> str:
    """A file that can be written, as far as that can be seen without opening it.

    To open it would end what reads from a pipe, and leave an empty file where a command fails.
    """
    if not text:
        raise argparse.ArgumentTypeError("no file is named; is it a variable that is not set?")
    if text == "-":
        return text
    from adaptergen.emit import refuses

    if why := _unwritable(text) or refuses(text):
        raise argparse.ArgumentTypeError(f"{text}: {why}")
    return text


def _unwritable(file: str) -> str:
    """Why no file can be written there; empty if one can."""
    folder = os.path.dirname(file) or "."
    if os.path.isdir(file):
        return "this is a folder; name a file in it"
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    writable = os.access(file if os.path.exists(file) else folder, os.W_OK)
    return "" if writable else "this cannot be written"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, such as 120")
    return seconds
