"""The layout of a model: its list of layers, the kinds of layer, and the modules of each kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import torch

from adaptergen.facts import Kind, Module, Parameter
from adaptergen.inspection.config_fields import qualified
from adaptergen.inspection.shapes import Sizes
from adaptergen.inspection.tiny_config import layer_count, layer_lists

#: Lists of a config that say what a layer is, in this order.
_LISTS = ("layers_block_type", "layer_types", "block_types", "attn_layers")
#: Attributes of a block that say what it is.
_ATTRIBUTES = ("block_type", "layer_type", "attention_type", "temporal_block_type")

#: Paths without numbers and classes of everything in a block, sorted.
Signature = tuple[tuple[str, str], ...]


@lru_cache(maxsize=4096)
def wildcard_path(path: str) -> str:
    """The path of a module with `*` for every number."""
    return re.sub(r"(^|\.)\d+(?=\.|$)", r"\1*", path)


@dataclass(frozen=True)
class ModulePath:
    """The kind of layer that a module is in ("" for none), and its path, without numbers."""

    kind: str
    path: str


@dataclass(frozen=True)
class Member:
    """A module: its kind of layer, its path as in `ModulePath`, and its full path."""

    kind: str
    path: str
    full_path: str
    module: Any

    def tensors(self) -> Iterator[tuple[str, Any, bool]]:
        """Its own parameters and buffers: full name, tensor, and whether it is a buffer."""
        for held, is_buffer in ((self.module._parameters, False), (self.module._buffers, True)):
            for name, tensor in held.items():
                if tensor is not None:
                    yield f"{self.full_path}.{name}", tensor, is_buffer


@dataclass(frozen=True)
class LayerKind:
    """A kind: its name, the config's word, its layers, and its first block."""

    name: str
    word: str
    layers: tuple[int, ...]
    block: Any


@dataclass(frozen=True)
class Layout:
    """The list of layers of a model, and the kinds of its layers in the order of the first.

    `path` is that of the list; empty if none was found.
    """

    model: Any
    path: str
    kinds: tuple[LayerKind, ...]

    def paths(self, first_only: bool = False) -> dict[Any, ModulePath]:
        """The path of each module but the model; of a kind of layer all, or only the first."""
        found: dict[Any, ModulePath] = {}
        kind_of = {i: kind for kind in self.kinds for i in kind.layers}
        for path, module in self.model.named_modules():
            index, rest = self._inside(path)
            kind = kind_of.get(index) if index is not None else None
            if kind and not (first_only and index != kind.layers[0]):
                found[module] = ModulePath(kind.name, wildcard_path(rest))
            elif path and index is None:
                found[module] = ModulePath("", wildcard_path(path))
        return found

    def members(self) -> Iterator[Member]:
        """Of each kind the first layer and what is in it, then all that is outside the layers.

        Modules of one class whose paths differ only in numbers are one member.
        """
        seen = set()
        inside = (
            (kind.name, f"{self.path}.{kind.layers[0]}.", *item)
            for kind in self.kinds
            for item in kind.block.named_modules()
        )
        outside = (
            ("", "", path, module)
            for path, module in self.model.named_modules()
            if path and not (self.path and path.startswith(f"{self.path}."))
        )
        for kind, prefix, path, module in chain(inside, outside):
            member = Member(kind, wildcard_path(path), f"{prefix}{path}".rstrip("."), module)
            key = (kind, member.path, type(module))
            if key not in seen:
                seen.add(key)
                yield member

    def _inside(self, path: str) -> tuple[int | None, str]:
        prefix = f"{self.path}."
        if not self.path or not path.startswith(prefix):
            return None, path
        number, _, rest = path[len(prefix) :].partition(".")
        return (int(number), rest) if number.isdigit() else (None, path)


def find_layout(model: Any) -> Layout:
    """The layout of a model."""
    path = list_of_layers(model)
    if not path:
        return Layout(model, "", ())
    blocks = list(model.get_submodule(path))
    words = _words(model, blocks)
    keys = [(word, _signature(block)) for word, block in zip(words, blocks, strict=True)]
    kinds = []
    for key in dict.fromkeys(keys):
        word, own = key
        others = [other for w, other in dict.fromkeys(keys) if w == word and other != own]
        name = (word or "layer") + (_difference(own, others) if others else "")
        indexes = tuple(i for i, one in enumerate(keys) if one == key)
        kinds.append(LayerKind(name, word, indexes, blocks[indexes[0]]))
    return Layout(model, path, tuple(kinds))


def size_names(layout: Layout, exact: Mapping[str, tuple[str, ...]] | None = None) -> Sizes:
    """What sizes of the model are called; `exact` as in `Sizes`."""
    tensors = (
        (member.kind, name, tuple(tensor.shape))
        for member in layout.members()
        for name, tensor, _ in member.tensors()
    )
    return Sizes(layout.model.config, tensors, exact)


def module_facts(layout: Layout, sizes: Sizes) -> tuple[tuple[Kind, ...], tuple[Module, ...]]:
    """The kinds of layer with their modules, and the modules outside the layers.

    A module that only other modules of the same class have is absent.
    """
    usual = _usual_children(layout.model)
    found: dict[str, dict[tuple[str, str], Module]] = {kind.name: {} for kind in layout.kinds}
    found[""] = {}
    for member in layout.members():
        path, module, same = member.path, member.module, found[member.kind]
        cls = qualified(type(module))
        parameters = {
            name.rpartition(".")[2]: Parameter(
                shape=tuple(tensor.shape),
                sizes=sizes.of_parameter(name, tuple(tensor.shape)),
                buffer=is_buffer,
            )
            for name, tensor, is_buffer in member.tensors()
        }
        same[path, cls] = Module(
            path=path,
            cls=cls,
            state="identity" if type(module) is torch.nn.Identity else "module",
            parameters=dict(sorted(parameters.items())),
        )
        for name in sorted(_absent(module, usual)):
            at = f"{path}.{name}" if path else name
            same.setdefault((at, ""), Module(path=at, state="absent"))
    modules = {kind: tuple(same[key] for key in sorted(same)) for kind, same in found.items()}
    kinds = tuple(
        Kind(name=kind.name, word=kind.word, layers=kind.layers, modules=modules[kind.name])
        for kind in layout.kinds
    )
    return kinds, modules[""]


def tied_weights(model: Any) -> tuple[tuple[str, ...], ...]:
    """Names of one and the same parameter."""
    names: dict[int, set[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), set()).add(wildcard_path(name))
    return tuple(sorted({tuple(sorted(group)) for group in names.values() if len(group) > 1}))


def list_of_layers(
    model: Any, wanted: Callable[[str, Any], bool] = lambda path, layers: True
) -> str:
    """The path of the list that holds most parameters, of as many layers as the config says.

    A list of one counts where there is no other: a model may call one layer several times. Empty
    without a list. `wanted` is asked for each, by path and module.
    """
    number = layer_count(model.config.get_text_config())
    best, most = "", (False, False, 0)
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) and wanted(path, module):
            weight = sum(parameter.numel() for parameter in module.parameters())
            rank = (len(module) > 1, len(module) == number, weight)
            # A list inside a layer holds less than the list that the layer is in.
            if rank > most:
                best, most = path, rank
    return best


def _words(model: Any, blocks: list[Any]) -> list[str]:
    """The word of each block, of the config or else of the block itself; "" if there is none."""
    lists = {
        name: row
        for name, row in layer_lists(model.config.get_text_config()).items()
        if "mlp" not in name and isinstance(row[0], str)
    }
    row = lists.get(min(lists, key=lambda name: (name not in _LISTS, name), default=""), ())
    if len(row) != len(blocks):
        said = ((getattr(block, name, None) for name in _ATTRIBUTES) for block in blocks)
        row = tuple(next((word for word in words if isinstance(word, str)), "") for words in said)
    return [word if isinstance(word, str) else "" for word in row]


def _signature(block: Any) -> Signature:
    named = block.named_modules()
    return tuple(sorted({(wildcard_path(path), qualified(type(m))) for path, m in named}))


def _difference(own: Signature, others: list[Signature]) -> str:
    """What tells a kind from all others of its word: paths with the class there, or "no" path."""
    held = {path for path, _ in own}
    marks = [(path, f"{path}={cls.rpartition('.')[2]}".removeprefix("=")) for path, cls in own]
    marks += [(path, f"no {path}") for path in {p for other in others for p, _ in other} - held]
    chosen: list[str] = []
    left = [set(other) for other in others]
    for path, text in sorted(marks, key=lambda mark: (mark[0].count("."), mark)):
        classes = {item for item in own if item[0] == path}
        rest = [o for o in left if {item for item in o if item[0] == path} == classes]
        if len(rest) < len(left):
            left, chosen = rest, [*chosen, text]
    return f"[{', '.join(chosen)}]"


def _usual_children(model: Any) -> dict[type, set[str]]:
    """Names of submodules that any module of a class has, over the whole model."""
    found: dict[type, set[str]] = {}
    for module in model.modules():
        held = {name for name, child in module._modules.items() if child is not None}
        found.setdefault(type(module), set()).update(held)
    return found


def _absent(module: Any, usual: Mapping[type, set[str]]) -> set[str]:
    """Empty places of a module: None is registered, or others of its class have one there."""
    if isinstance(module, (torch.nn.ModuleList, torch.nn.ModuleDict, torch.nn.Sequential)):
        return set()
    none = {name for name, child in module._modules.items() if child is None}
    return none | (usual[type(module)] - set(module._modules))
