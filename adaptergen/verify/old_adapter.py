"""What an adapter that people wrote has and that of the spec has not, seen on its tiny model.

`adaptergen.isolated` runs it with the path of the spec, and the adapter as its input.

It runs apart, where the TransformerLens that the adapter was written for is the one that is
imported. Prints JSON: hooks and aliases of the model and of each kind of layer, and what either
sets in its config where the other does not.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptergen.contract.models import bridge_config, hf_config, random_model, wrap
from adaptergen.verify.target import Target, layer_kinds, load_target


def gone(spec: Path, text: str) -> dict[str, Any]:
    """What goes if the adapter of the spec takes the place of the one in `text`."""
    old, new = available(load_target(spec, text)), available(load_target(spec))
    # TransformerLens itself adds names and settings, whatever the adapter.
    layers = {kind: sorted(names - new.layers[kind]) for kind, names in old.layers.items()}
    differ = {name for name, value in old.settings.items() if new.settings.get(name) != value}
    return {
        "model": sorted(old.model - new.model),
        "layers": layers,
        "settings": {name: old.settings[name] for name in sorted(differ)},
        "instead": {name: value for name, value in new.settings.items() if name in differ},
    }


@dataclass
class AvailableHooks:
    """Names of hooks and aliases, of the model and by kind, and what was set in cfg."""

    model: set[str]
    layers: dict[str, set[str]]
    settings: dict[str, str]


def available(target: Target) -> AvailableHooks:
    """What a bridge with the target's adapter has."""
    config = hf_config(target.architecture, target.plan.spec.tiny.config)
    model = random_model(target.architecture, config)
    kinds = layer_kinds(target, model)
    before = _plain(bridge_config(target.architecture, config, "old", model.dtype))
    bridge = wrap(target.architecture, target.adapter, model, "old")
    found = AvailableHooks(set(), {kind: set() for kind in kinds}, {})
    for name in bridge.hook_dict:
        if name.startswith("blocks."):
            _, layer, hook = name.split(".", 2)
            found.layers[kinds[int(layer)]].add(hook)
        else:
            found.model.add(name)
    after = _plain(bridge.adapter.cfg)
    found.settings = {name: value for name, value in after.items() if before.get(name) != value}
    return found


def _plain(cfg: Any) -> dict[str, str]:
    kinds = (bool, float, int, list, str, type(None))
    # Where the model lies is no choice of the adapter.
    return {
        name: repr(value)
        for name, value in vars(cfg).items()
        if isinstance(value, kinds) and name != "device"
    }


if __name__ == "__main__":
    # Warnings and progress of what is imported are not the answer.
    print(json.dumps(gone(Path(sys.argv[1]), sys.stdin.read())))
