"""From the arguments of a command line to an exit code."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from adaptergen.cli.parser import make_parser

INTERRUPTED = 130  # as if SIGINT or SIGPIPE had ended the process
PIPE_CLOSED = 141


def script() -> NoReturn:
    """The command as a process of its own."""
    code = main()
    # All that is left goes with the process: to look it through for garbage first, as Python does
    # on its way out, would be a tenth of a build.
    gc.freeze()
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 fine, 1 findings, 2 bad input or environment."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal does not know must not stop a command; on standard error
        # Python sees to it.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(argv)
        # Here, where a closed pipe can still be dealt with.
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _drop_stdout()
        return PIPE_CLOSED


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = make_parser().parse_args(argv)
        code: int = args.run(args)
        return code
    except SystemExit as end:
        # How argparse ends for `--help`, `--version` and bad arguments.
        return end.code if isinstance(end.code, int) else 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # the last place where what nobody foresaw can be told in words
        from adaptergen.cli.failures import tell

        return tell(error, sys.argv[1:] if argv is None else argv)


def _drop_stdout() -> None:
    # Or else the interpreter tries once more to write out the rest, and complains.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
