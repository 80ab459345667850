# Generated from specs/nemotron_h.yaml by `adaptergen build specs/nemotron_h.yaml`.
"""Structure of the Nemotron-H adapter: what it maps, what a block binds, what cfg carries."""

from tests.integration.model_bridge.adapter_contract import StructureContract
from tests.integration.model_bridge.test_nemotron_h_tiny import TABLES
from transformer_lens.model_bridge.supported_architectures.nemotron_h import (
    NemotronHArchitectureAdapter,
)


class TestNemotronHArchitectureAdapterStructure(StructureContract):
    adapter_class, tables = NemotronHArchitectureAdapter, TABLES
