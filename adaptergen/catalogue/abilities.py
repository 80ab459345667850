"""What the core of a TransformerLens can do that another release cannot, told by what it defines.

An emitted test that rests on one of these is emitted only where it is there.
"""

from __future__ import annotations

import ast

from adaptergen.catalogue.installed import PACKAGE
from adaptergen.catalogue.library import Library

#: Each with the method that does it, and what is said of a release without it.
ABILITIES = {
    "left_padding": ("_accepts_derived_position_ids", "generate from prompts padded on the left"),
    "load_state_dict": ("_tl_key_to_actual_keys", "load all the weights that it gives out"),
    "offload": ("_update_offloaded_bias", "run with weights that accelerate offloads"),
    "pos_slice": ("mark_pos_dim", "cache a slice of positions of every hook"),
}
_MODULES = (
    "bridge",
    "bridge_core",
    "transformer_bridge",
    "generalized_components.base",
    "generalized_components.unembedding",
)


def find_abilities(library: Library) -> tuple[str, ...]:
    """The abilities whose methods the tree defines, sorted."""
    defined: set[str] = set()
    for name in _MODULES:
        module = library.module(f"{PACKAGE}.model_bridge.{name}")
        for cls in module.classes.values() if module is not None else ():
            defined |= {node.name for node in cls.node.body if isinstance(node, ast.FunctionDef)}
    return tuple(name for name, (method, _) in ABILITIES.items() if method in defined)
