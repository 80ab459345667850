"""What verification needs: the heavy packages, and versions that the spec was verified with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from packaging.version import Version

from adaptergen.catalogue.store import load as load_catalogue
from adaptergen.plan.model import Plan
from adaptergen.problems import listing, quote
from adaptergen.verify.known import BadInput

#: Modules, and the distributions that bring them.
HEAVY = {
    "torch": "torch",
    "transformers": "transformers",
    "transformer_lens": "transformer-lens",
    "accelerate": "accelerate",
}


def require() -> None:
    """Import the heavy packages. `ModuleNotFoundError` for a missing one, else `BadInput`."""
    for name in HEAVY:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in HEAVY:
                raise
            raise _broken(name, error) from error
        except (ImportError, RuntimeError) as error:
            raise _broken(name, error) from error


def unverified(plan: Plan, spec: str) -> Iterator[str]:
    """Warnings: installed versions that the catalogues or the spec do not know."""
    _, warning = load_catalogue(version(HEAVY["transformer_lens"]))
    if warning:
        yield warning
    proved = plan.spec.verified_with
    for name, known in (
        ("transformer-lens", proved.transformer_lens),
        ("transformers", proved.transformers),
    ):
        installed = version(name)
        if Version(installed) not in map(Version, known):
            yield f"{spec} was verified with {name} {', '.join(known)}; {installed} is installed."


def peak_memory() -> int | None:
    """The most memory this process ever held, in bytes; None where the system does not say."""
    try:
        # Linux counts in getrusage what the process that started this one held.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _broken(name: str, error: Exception) -> BadInput:
    message = f"{quote(name)} cannot be imported: {type(error).__name__}: {error}"
    hint = f"install {listing(HEAVY.values())} that fit together: pip install 'adaptergen[verify]'"
    return BadInput(message, hint)
