"""From the arguments of a command line to an exit code.

Imported for every call: the standard library only.
"""

from __future__ import annotations

import argparse
import errno
import gc
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from adaptergen import __version__
from adaptergen.cli import (
    audit,
    build,
    catalog,
    completion,
    drift,
    export,
    init,
    inspect,
    lock,
    schema,
    survey,
    update,
    verify,
)
from adaptergen.cli.terminal import report_failure

BAD = 2  # input, environment, or adaptergen itself
INTERRUPTED = 130  # as if SIGINT or SIGPIPE had ended the process
PIPE_CLOSED = 141

_COMMANDS = (
    init, build, verify, inspect, survey, lock, drift, update, export, audit, schema, catalog,
    completion,
)  # fmt: skip
_EXAMPLES = """\
examples:
  adaptergen build specs/nemotron_h.yaml           write the adapter, its tests and its hook page
  adaptergen build --check specs/*.yaml            are the written files up to date?
  adaptergen verify specs/nemotron_h.yaml          compare the adapter with HF on a tiny model

exit codes:
  0 fine; 1 findings, stale or failed; 2 bad input or environment
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; what it parses has `run`, the command's function."""
    parser = argparse.ArgumentParser(
        prog="adaptergen",
        description="Generates TransformerLens architecture adapters from declarative specs.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"adaptergen {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True
    )
    for command in _COMMANDS:
        one = commands.add_parser(
            command.__name__.rpartition(".")[2],
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(one)
        one.set_defaults(run=command.run)
    return parser


def script() -> NoReturn:
    """The command as a process of its own."""
    code = main()
    # All that is left goes with the process: to look it through for garbage first, as Python does
    # on its way out, would be a tenth of a build.
    gc.freeze()
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 fine, 1 findings, 2 bad input or environment."""
    _replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal does not know must not stop a command; on standard error
        # Python sees to it.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(argv)
        # Here, where a closed pipe or a full disk can still be dealt with.
        _flush()
        return code
    except BrokenPipeError:
        _drop_stdout()
        return PIPE_CLOSED
    except Exception as error:  # the last place where what nobody foresaw can be put in words
        report_failure(error, sys.argv[1:] if argv is None else argv)
        try:
            sys.stdout.flush()
        except OSError:
            _drop_stdout()
        return BAD


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = make_parser().parse_args(argv)
        code: int = args.run(args)
        return code
    except SystemExit as end:
        # How argparse ends for `--help`, `--version` and bad arguments.
        return end.code if isinstance(end.code, int) else BAD
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError as error:
        error.filename = "standard output"
        raise


def _drop_stdout() -> None:
    # Or else the interpreter tries once more to write out the rest, and complains.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Closed(io.TextIOBase):
    """Standard output where the caller has closed it: as good as any, until it is written to."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "it is closed", "standard output")


def _replace_closed_streams() -> None:
    """Have something in place of each standard stream that is closed.

    Whatever is opened takes the lowest number that is free, and a file with that of standard output
    would have the output of every process that is started.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or _Closed()
    sys.stderr = sys.stderr or io.StringIO()
