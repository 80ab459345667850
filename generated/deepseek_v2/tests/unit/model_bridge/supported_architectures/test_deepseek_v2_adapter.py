# Generated from specs/deepseek_v2.yaml by `adaptergen build specs/deepseek_v2.yaml`.
"""Structure of the DeepSeek-V2 adapter: what it maps, what a block binds, what cfg carries."""

from tests.integration.model_bridge.adapter_contract import StructureContract
from tests.integration.model_bridge.test_deepseek_v2_tiny import TABLES
from transformer_lens.model_bridge.supported_architectures.deepseek_v2 import (
    DeepSeekV2ArchitectureAdapter,
)


class TestDeepSeekV2ArchitectureAdapterStructure(StructureContract):
    adapter_class, tables = DeepSeekV2ArchitectureAdapter, TABLES
