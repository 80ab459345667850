"""From the arguments of a command line to an exit code."""

from __future__ import annotations

import errno
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
    _stand_in_for_closed()
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
    except Exception as error:  # the last place where what nobody foresaw can be told in words
        from adaptergen.cli.failures import tell

        code = tell(error, sys.argv[1:] if argv is None else argv)
        try:
            sys.stdout.flush()
        except OSError:
            _drop_stdout()
        return code


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


def _stand_in_for_closed() -> None:
    """Have something in place of each standard stream that is closed.

    Whatever is opened takes the lowest number that is free, and a file with that of standard output
    would have the output of every process that is started.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or _Closed()
    sys.stderr = sys.stderr or io.StringIO()
