"""What goes to standard error: messages, and what ended a command.

Imported for every call; what an error is of is imported when there is one.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adaptergen.records import ReportRecord

#: What the extra `verify` brings.
_HEAVY = frozenset({"accelerate", "torch", "transformer_lens", "transformers"})

#: Errors of the environment, even where the system does not say of which file.
_OUTSIDE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENXIO})


def say(text: str) -> None:
    """One message; nothing for an empty one."""
    if text:
        print(text, file=sys.stderr)


def report_failure(error: Exception, argv: Sequence[str]) -> None:
    """Say what ended the command with these arguments, and how to fix it."""
    from adaptergen.problems import Failed, render

    if os.environ.get("ADAPTERGEN_TRACEBACK"):
        traceback.print_exception(error)
    if isinstance(error, Failed):
        say(render(error.shown, color=_colored()))
        say(f"\n{error.summary}")
    elif found := explained(error):
        say("{}\n  hint: {}".format(*found))
    else:
        say(f"adaptergen failed: {type(error).__name__}: {error}")
        say("This is a mistake in adaptergen, not in your spec. Please report it to its")
        say("maintainers, with the spec and what this prints:")
        say(f"  ADAPTERGEN_TRACEBACK=1 {shlex.join(['adaptergen', *argv])}")


def explained(error: Exception) -> tuple[str, str] | None:
    """What an error says of the input or the environment, and the hint.

    None for problems of specs, which have locations, and for a mistake in adaptergen.
    """
    from adaptergen import guard
    from adaptergen.problems import InputError

    if isinstance(error, InputError):
        return error.message, error.hint
    if isinstance(error, guard.Unfit):
        return f"{error.filename}: {error.message}", error.hint
    if isinstance(error, ImportError):
        return _not_imported(error)
    if isinstance(error, OSError) and error.filename is not None:
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}", "fix this, then run the same command again"
    if isinstance(error, OSError) and error.errno in _OUTSIDE:
        hint = "look at the disks in use; standard output may go to one, too"
        return f"something cannot be read or written: {error.strerror}", hint
    return None


def record_failure(
    error: Exception,
    targets: Iterable[str | None],
    record: type[ReportRecord],
    before: str = "",
    **fields: object,
) -> None:
    """Write a record of what ended a command, unless it is a mistake in adaptergen."""
    from adaptergen.problems import Failed

    if isinstance(error, Failed):
        why, problems = error.summary, error.shown
    elif found := explained(error):
        why, problems = found[0], ()
    else:
        return
    fields |= {"summary": f"{before}{why}", "problems": problems}
    made = record.model_validate({"outcome": "failed", "exit_code": 2, **fields})
    for target in filter(None, targets):
        made.write(target)


def _not_imported(error: ImportError) -> tuple[str, str] | None:
    """What is said of a heavy package that is missing, or that cannot be imported."""
    install = "pip install 'adaptergen[verify]'"
    package = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package in _HEAVY:
        return f"This needs {package}, which is not installed.", f"run `{install}`"
    frames = traceback.walk_tb(error.__traceback__)
    names = (str(frame.f_globals.get("__name__")).partition(".")[0] for frame, _ in frames)
    package = next((name for name in names if name in _HEAVY), "")
    if not package:
        return None
    message = f"`{package}` cannot be imported: {type(error).__name__}: {error}"
    return message, f"install versions that fit together: {install}"


def _colored() -> bool:
    """Whether standard error takes colours: a terminal that knows them, and nobody said no."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and sys.stderr.isatty()
