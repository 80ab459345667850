"""What an adapter promises, checked on models: the tables of one architecture, held against them.

A check takes a `ModelUnderTest` with its tables and yields findings. `adaptergen verify` runs the
checks, and so do the tests of an adapter, which derive from `AdapterContract` (tiny models) and
`StructureContract` (no model). The package needs torch, transformers and transformer_lens, and
nothing of what generated the adapter. The tables alone need none of these.
"""

from __future__ import annotations

from .findings import MODEL, Finding, HookCounts, ModelReport, Spot
from .tables import AdapterTables, HookContract, LayerTable
from .testcase import AdapterContract, StructureContract

__all__ = [
    "MODEL",
    "AdapterContract",
    "AdapterTables",
    "Finding",
    "HookContract",
    "HookCounts",
    "LayerTable",
    "ModelReport",
    "Spot",
    "StructureContract",
]
