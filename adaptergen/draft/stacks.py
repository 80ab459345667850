"""Lists of layers beside the one that becomes the blocks, such as those of an encoder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from adaptergen.draft.components import Data, Drafter, Made, free_key, use, written
from adaptergen.draft.kinds import Kinds, agree
from adaptergen.draft.observation import Called, Observation

#: Names of norms with which a block has a hook that TransformerLens fires in `blocks` alone.
_OF_BLOCKS = ("ln2", "ln2_post")


def further_lists(seen: Observation, layers_path: str) -> tuple[str, ...]:
    """Paths of the other lists of which each called module takes and returns the stream.

    A list inside a layer, of the blocks or of such a list, is none.
    """
    found: list[str] = []
    for path, module in seen.model.named_modules():
        inside = any(f"{path}.".startswith(f"{one}.") for one in (layers_path, *found))
        if inside or not isinstance(module, torch.nn.ModuleList):
            continue
        calls = [seen.calls[at] for i in range(len(module)) if (at := f"{path}.{i}") in seen.calls]
        if len(calls) > 1 and all(map(_is_layer, calls)):
            found.append(path)
    return tuple(found)


def _is_layer(call: Called) -> bool:
    taken, returned = call.took, call.gave
    if taken is None or returned is None or not any(True for _ in call.module.children()):
        return False
    fits = taken.dim() > 2 and taken.is_floating_point() and taken.shape == returned.shape
    return bool(fits)


def list_of(drafter: Drafter, path: str, layers: Iterable[Any]) -> Made:
    """A list of layers as a component: what its layers, as `draft` has them, have in common."""
    found = list(layers)
    agreed = agree(layer.short_keys() for layer in found)
    taken = {key for key in agreed.values() if key not in _OF_BLOCKS}
    own = {at: free_key(at, taken) if key in _OF_BLOCKS else key for at, key in agreed.items()}
    tables = []
    for layer in found:
        layer.rename(own)
        tables.append(layer.submodules())
    shared = Kinds(tables, [], "").common()
    hooks: Data = drafter.ends(found[0].call, "layer")
    if all(one["shape"] == ["batch", "pos", "d_model"] for one in hooks.values()):
        made = use("layer", path, hooks, {}, {})
    else:
        made = written("HFBlockBridge", path, hooks)
    if shared:
        made["add" if "shape" in made else "submodules"] = shared
    return made
