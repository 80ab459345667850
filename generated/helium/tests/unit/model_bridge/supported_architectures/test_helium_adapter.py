# Generated from specs/helium.yaml by `adaptergen build specs/helium.yaml`.
"""Structure of the Helium adapter: what it maps, what a block binds, what cfg carries."""

from tests.integration.model_bridge.adapter_contract import StructureContract
from tests.integration.model_bridge.test_helium_tiny import TABLES
from transformer_lens.model_bridge.supported_architectures.helium import (
    HeliumArchitectureAdapter,
)


class TestHeliumArchitectureAdapterStructure(StructureContract):
    adapter_class, tables = HeliumArchitectureAdapter, TABLES
