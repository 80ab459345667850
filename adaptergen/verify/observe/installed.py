"""One spec observed with the installed releases, whatever they do."""

from __future__ import annotations

from pathlib import Path

import transformers

from adaptergen.lock.entry import Entry
from adaptergen.problems import quote
from adaptergen.verify.known import BadInput
from adaptergen.verify.observe.entry import observe_entry
from adaptergen.verify.observe.limit import LIMIT, OutOfTime, limited
from adaptergen.verify.target import Target, load_target


class CannotObserve(BadInput):
    """The installed transformers does not run the model of the spec."""


def observed(path: Path, limit: float = LIMIT) -> tuple[Target, Entry]:
    """The target of a spec and what was observed of it.

    Raises `Failed` for problems of the spec, `CannotObserve` for those of the installed releases.
    """
    try:
        target = load_target(path)
    except ImportError as error:
        raise _failed(path, "the adapter cannot be imported", error) from error
    architecture = target.plan.spec.architecture
    try:
        found = getattr(transformers, architecture, None)
    except Exception as error:
        raise _failed(path, f"{quote(architecture)} cannot be imported", error) from error
    if found is None:
        message = f"transformers {transformers.__version__} has no {quote(architecture)}"
        raise CannotObserve(message, "install a release that has it, or mend `architecture:`")
    if hasattr(found, "_backends"):
        # What transformers puts in the place of a class whose packages are missing.
        needed = ", ".join(found._backends)
        raise CannotObserve(f"{quote(architecture)} needs {needed}", f"install {needed}")
    try:
        with limited(limit):
            return target, observe_entry(target)
    except OutOfTime as error:
        message = f"{architecture} on its tiny model: {error}"
        raise CannotObserve(
            message, "raise the limit with --limit, or make `tiny` smaller"
        ) from error
    except Exception as error:
        raise _failed(
            path, f"{architecture} cannot be built and run on its tiny model", error
        ) from error


def _failed(path: Path, what: str, error: Exception) -> CannotObserve:
    text = " ".join(str(error).split())[:300]
    hint = f"check `tiny:` in {path.as_posix()} against this release of transformers"
    return CannotObserve(f"{what}: {type(error).__name__}: {text}", hint)
