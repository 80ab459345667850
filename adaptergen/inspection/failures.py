"""What is said when a model cannot be observed: one problem, with a code and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from adaptergen.problems import Failed, Problem, quote

Given = ParamSpec("Given")
Result = TypeVar("Result")

_LONGEST = 300


def failed(code: str, message: str, hint: str) -> Failed:
    """The failure of one target."""
    return Failed([Problem(code, message, hint)])


def reason(error: BaseException) -> str:
    """The type of an error and its first lines, short."""
    text = " ".join(str(error).split())
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def attempted(
    function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result | None:
    """What the function returns; None where transformers refuses."""
    try:
        return function(*args, **kwargs)
    except Exception:  # configs and models raise errors of any class, some of their own making
        return None


def guarded(code: str, what: str, hint: str, function: Callable[[], Any]) -> Any:
    """What the function returns; a failure of that code if it raises anything."""
    try:
        return function()
    except Failed:
        raise
    except ImportError as error:
        needed = getattr(error, "name", None)
        mend = f"pip install {needed}" if needed else "install what the message names"
        raise failed("hf-import", f"{what}: {reason(error)}", mend) from error
    except Exception as error:  # code of transformers or of a checkpoint may raise anything
        raise failed(code, f"{what}: {reason(error)}", hint) from error


def named(name: str) -> str:
    """A name of the user in a message."""
    return quote(name)
