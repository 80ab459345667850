"""What verification needs: packages, their versions, and configurations to measure on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import Version

from adaptergen import resources
from adaptergen.catalogue.store import load as load_catalogue
from adaptergen.inspection.target import read_config
from adaptergen.plan.model import Plan
from adaptergen.problems import InputError, listing, quote

#: Modules, and the distributions that bring them.
HEAVY = {
    "torch": "torch",
    "transformers": "transformers",
    "transformer_lens": "transformer-lens",
    "accelerate": "accelerate",
}


def require() -> None:
    """Import the heavy packages. `ModuleNotFoundError` for a missing one, else `InputError`."""
    for name in HEAVY:
        try:
            import_module(name)
        except (ImportError, RuntimeError) as error:
            missing = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
            if missing.partition(".")[0] in HEAVY:
                raise
            message = f"{quote(name)} cannot be imported: {type(error).__name__}: {error}"
            which = f"install {listing(HEAVY.values())} that fit together"
            raise InputError(message, f"{which}: pip install 'adaptergen[verify]'") from error


def unverified(plan: Plan, spec: str) -> Iterator[str]:
    """Warnings: installed versions that the catalogues or the spec do not know."""
    _, warning = load_catalogue(version(HEAVY["transformer_lens"]))
    if warning:
        yield warning
    verified = plan.spec.verified_with
    releases = {
        "transformer-lens": verified.transformer_lens,
        "transformers": verified.transformers,
    }
    for name, known in releases.items():
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


@dataclass(frozen=True)
class Known:
    """A configuration as in a config.json, and the Hub id or file it is of."""

    name: str
    fields: dict[str, Any]

    @property
    def architecture(self) -> str:
        """The HF class that it is for."""
        return str((self.fields.get("architectures") or [""])[0])


def configs(architecture: str, others: list[Path]) -> list[Known]:
    """The configurations of checkpoints of an architecture, and others from files or folders.

    Raises `InputError` for one that cannot be read or is of another architecture.
    """
    folder = resources.DATA / "checkpoints"
    known = [_read(path, path.stem.replace("--", "/")) for path in sorted(folder.glob("*.json"))]
    found = [config for config in known if config.architecture == architecture]
    for path in others:
        file = path / "config.json" if path.is_dir() else path
        config = _read(file, path.as_posix())
        if config.architecture != architecture:
            message = f"{file} is of {quote(config.architecture)}, and the spec of {architecture}"
            raise InputError(message, "name a config.json of that architecture")
        found.append(config)
    if not found:
        message = f"no configuration of {architecture} is known"
        raise InputError(message, "name a config.json, or its folder, with --config")
    return found


def _read(path: Path, name: str) -> Known:
    try:
        fields = read_config(path)
    except (OSError, ValueError) as error:
        hint = "name the config.json of a checkpoint, or its folder"
        raise InputError(f"{path} cannot be read: {error}", hint) from error
    if not isinstance(fields, dict):
        raise InputError(f"{path} holds no object", "name the config.json of a checkpoint")
    return Known(name, fields)
