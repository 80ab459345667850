"""Where modules are: the list of layers, the kinds of layer, and the place of each module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from adaptergen.inspection import layers
from adaptergen.inspection.names import pattern, qualified

#: Lists of a config that say what a layer is, in this order.
_TELLING = ("layers_block_type", "layer_types", "block_types", "attn_layers")
#: Attributes of a block that say what it is.
_SAYING = ("block_type", "layer_type", "attention_type", "temporal_block_type")


@dataclass(frozen=True)
class Place:
    """The kind of layer that a module is in ("" for none), and its path, without numbers."""

    kind: str
    path: str


@dataclass(frozen=True)
class KindOfLayer:
    """A kind: its name, the config's word, its layers, and its first block."""

    name: str
    word: str
    layers: tuple[int, ...]
    block: Any


@dataclass(frozen=True)
class Layout:
    """The list of layers of a model, and the kinds of its layers in the order of the first."""

    model: Any
    path: str
    kinds: tuple[KindOfLayer, ...]

    def places(self, first_only: bool = False) -> dict[Any, Place]:
        """The place of each module but the model; of a kind of layer all, or only the first."""
        found: dict[Any, Place] = {}
        kind_of = {i: kind for kind in self.kinds for i in kind.layers}
        for path, module in self.model.named_modules():
            index, rest = self._inside(path)
            if index is None:
                if path:
                    found[module] = Place("", pattern(path))
            elif index in kind_of:
                kind = kind_of[index]
                if not (first_only and index != kind.layers[0]):
                    found[module] = Place(kind.name, pattern(rest))
        return found

    def _inside(self, path: str) -> tuple[int | None, str]:
        prefix = f"{self.path}."
        if not self.path or not path.startswith(prefix):
            return None, path
        number, _, rest = path[len(prefix) :].partition(".")
        return (int(number), rest) if number.isdigit() else (None, path)


def layout(model: Any) -> Layout:
    """The layout of a model."""
    path = _list_of_layers(model)
    if not path:
        return Layout(model, "", ())
    blocks = list(model.get_submodule(path))
    words = list(_words(model, blocks))
    keys = [(word, signature(block)) for word, block in zip(words, blocks, strict=True)]
    kinds = []
    for key in dict.fromkeys(keys):
        word, own = key
        others = [other for w, other in dict.fromkeys(keys) if w == word and other != own]
        name = (word or "layer") + (_difference(own, others) if others else "")
        indexes = tuple(i for i, one in enumerate(keys) if one == key)
        kinds.append(KindOfLayer(name, word, indexes, blocks[indexes[0]]))
    return Layout(model, path, tuple(kinds))


Signature = tuple[tuple[str, str], ...]


def signature(block: Any) -> Signature:
    """Paths and classes of everything in a block, without numbers."""
    found = {(pattern(path), qualified(type(m))) for path, m in block.named_modules()}
    return tuple(sorted(found))


def _difference(own: Signature, others: list[Signature]) -> str:
    """What tells a kind from all others of its word: paths with the class there, or "no" path."""
    held = {path for path, _ in own}
    marks = [(path, f"{path}={cls.rpartition('.')[2]}".removeprefix("=")) for path, cls in own]
    marks += [(path, f"no {path}") for path in {p for other in others for p, _ in other} - held]
    told: list[str] = []
    left = [set(other) for other in others]
    for path, text in sorted(marks, key=lambda mark: (mark[0].count("."), mark)):
        classes = {item for item in own if item[0] == path}
        rest = [o for o in left if {item for item in o if item[0] == path} == classes]
        if len(rest) < len(left):
            left, told = rest, [*told, text]
    return f"[{', '.join(told)}]"


def _list_of_layers(model: Any) -> str:
    """The path of the list that holds most parameters, of as many layers as the config says."""
    number = layers.number(model.config.get_text_config())
    best, most = "", (False, 0)
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) > 1:
            weight = sum(p.numel() for p in module.parameters())
            rank = (len(module) == number, weight)
            # A list inside a layer holds less than the list that the layer is in.
            if rank > most:
                best, most = path, rank
    return best


def _words(model: Any, blocks: list[Any]) -> Iterator[str]:
    config = model.config.get_text_config()
    listed = layers.lists(config)
    words = {n: r for n, r in listed.items() if "mlp" not in n and isinstance(r[0], str)}
    names = sorted(words, key=lambda name: (name not in _TELLING, name))
    for index, block in enumerate(blocks):
        if names and len(words[names[0]]) == len(blocks):
            word = words[names[0]][index]
        else:
            said = (getattr(block, name, None) for name in _SAYING)
            word = next((word for word in said if isinstance(word, str)), "")
        yield word if isinstance(word, str) else ""
