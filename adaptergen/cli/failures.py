"""What ended a command: told in a message with what mends it, and as an exit code."""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Sequence

from adaptergen.catalogue import CatalogueError
from adaptergen.cli.terminal import say, say_problems
from adaptergen.output import OutputError
from adaptergen.problems import Failed

#: What the extra `verify` brings.
HEAVY = frozenset({"accelerate", "torch", "transformer_lens", "transformers"})

_BAD = 2  # input, environment, or adaptergen itself


def tell(error: Exception, argv: Sequence[str]) -> int:
    """Tell what ended the command with these arguments; the exit code."""
    if os.environ.get("ADAPTERGEN_TRACEBACK"):
        traceback.print_exception(error)
    if isinstance(error, Failed):
        say_problems(error.problems)
    elif isinstance(error, CatalogueError):
        say(f"{error.message}\n  hint: {error.hint}")
    elif isinstance(error, OutputError):
        say(str(error))
    elif isinstance(error, ModuleNotFoundError) and _package(error) in HEAVY:
        say(f"This needs {_package(error)}, which is not installed.")
        say("  hint: run `pip install 'adaptergen[verify]'`")
    elif isinstance(error, OSError) and error.filename is not None:
        say(f"{error.filename}: {error.strerror or error}")
        say("  hint: mend this, then run the same command again")
    else:
        _tell_bug(error, argv)
    return _BAD


def _package(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]


def _tell_bug(error: Exception, argv: Sequence[str]) -> None:
    say(f"adaptergen failed: {type(error).__name__}: {error}")
    say("This is a mistake in adaptergen, not in your spec. Please report it to its maintainers,")
    say("with the spec and what this prints:")
    say(f"  ADAPTERGEN_TRACEBACK=1 {shlex.join(['adaptergen', *argv])}")
