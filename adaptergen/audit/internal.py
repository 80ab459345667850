"""Architectures that the registries leave out on purpose."""

from __future__ import annotations

import ast

from adaptergen.audit.model import Source

#: Where upstream lists them, in a checkout.
_TEST = "tests/unit/tools/test_model_registry.py"
_NAME = "INTENTIONAL_EXCLUDES"

#: As of TransformerLens 4.3.0, for an installed package, which comes without its tests.
_KNOWN = frozenset(
    {
        "GPT2LMHeadCustomModel", "Gemma1ForCausalLM", "MinGPTForCausalLM", "NanoGPTForCausalLM",
        "NeelSoluOldForCausalLM", "NeoForCausalLM", "NeoXForCausalLM", "TransformerLensNative",
        "TransformerLensPretrain",
    }
)  # fmt: skip


def internal(source: Source) -> frozenset[str]:
    """Those that never appear on the Hub, and other spellings of those that do."""
    for node in ast.walk(source.tree(_TEST)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == _NAME:
                texts = (n.value for n in ast.walk(value) if isinstance(n, ast.Constant))
                return frozenset(text for text in texts if isinstance(text, str))
    return _KNOWN
