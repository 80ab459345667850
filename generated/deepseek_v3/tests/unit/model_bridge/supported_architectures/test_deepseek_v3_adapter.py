# Generated from specs/deepseek_v3.yaml by `adaptergen build specs/deepseek_v3.yaml`.
"""Structure of the DeepSeek-V3 adapter: what it maps, what a block binds, what cfg carries."""

from tests.integration.model_bridge.adapter_contract import StructureContract
from tests.integration.model_bridge.test_deepseek_v3_tiny import TABLES
from transformer_lens.model_bridge.supported_architectures.deepseek_v3 import (
    DeepSeekV3ArchitectureAdapter,
)


class TestDeepSeekV3ArchitectureAdapterStructure(StructureContract):
    adapter_class, tables = DeepSeekV3ArchitectureAdapter, TABLES
