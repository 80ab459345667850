"""What TransformerLens calls the files that a contribution touches, beside its registries."""

from __future__ import annotations

PASSTHROUGH_FILE = "transformer_lens/model_bridge/sources/_bridge_builder.py"
PASSTHROUGH = "_HF_PASSTHROUGH_ATTRS"
MODELS_FILE = "transformer_lens/tools/model_registry/data/supported_models.json"
QUARANTINES_FILE = "tests/QUARANTINES.md"
QUARANTINES_HEADER = ("Path", "Model")
#: Where components lie, those that adapters share among them.
COMPONENTS = "transformer_lens/model_bridge/generalized_components"
#: The package that the tests of adapters import.
CONTRACT = "tests/integration/model_bridge/adapter_contract"
TEMPLATE_FILE = ".github/PULL_REQUEST_TEMPLATE.md"
REGISTRY_TEST = "tests/unit/tools/test_model_registry.py"
REGISTRY_TEST_CLASS = "TestRegistrySyncedWithFactory"

#: The comment in `ARCHITECTURE_DESCRIPTIONS` below which the supported ones stand.
DESCRIPTIONS = "ARCHITECTURE_DESCRIPTIONS"
DESCRIPTIONS_GROUP = "Supported architectures"
#: Where people may have written something else about an architecture; theirs stays.
PROSE = frozenset({DESCRIPTIONS, "CANONICAL_AUTHORS_BY_ARCH"})

#: What is contributed; the rest of what a build writes is for use beside TransformerLens.
CONTRIBUTED = ("transformer_lens/", "tests/")
#: Branches that upstream keeps for itself.
PROTECTED = frozenset({"main", "dev"})
