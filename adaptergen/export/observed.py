"""What goes with an adapter that people wrote, seen by running it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from adaptergen.isolated import run_isolated

_NEEDED = ("torch", "transformers")
_TIMEOUT = 300


@dataclass(frozen=True)
class Observed:
    """Hooks and aliases that the new adapter lacks; attributes of cfg that it sets otherwise."""

    model: frozenset[str] = frozenset()
    layers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By the kind of the layer."""
    settings: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    """What the new adapter sets them to."""
    failed: str = ""
    """Why nothing was seen."""


def observe(root: Path, spec: Path, source: bytes) -> Observed:
    """Run the adapter in `source` and that of the spec with the TransformerLens at `root`."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        return Observed(failed=f"{', '.join(missing)} not installed")
    try:
        ran = run_isolated(
            "adaptergen.verify.old_adapter", [spec.absolute()], _TIMEOUT,
            packages={"transformer_lens": root}, stdin=source, env={"HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
    except TimeoutError:
        return Observed(failed=f"it took more than {_TIMEOUT // 60} minutes to run")
    if ran.returncode:
        told = ran.stderr.strip().splitlines()
        return Observed(failed=f"it does not run here: {told[-1] if told else 'no message'}")
    seen = json.loads(ran.stdout.splitlines()[-1])
    layers = {kind: frozenset(names) for kind, names in seen["layers"].items()}
    return Observed(frozenset(seen["model"]), layers, seen["settings"], seen["instead"])
