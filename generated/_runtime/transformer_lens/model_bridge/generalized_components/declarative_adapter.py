"""Adapters whose dimensions, kinds of layer and cache are data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import transformers

from transformer_lens.model_bridge.architecture_adapter import ArchitectureAdapter
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    configs_of,
    split_heads,
)


class DeclarativeAdapter(ArchitectureAdapter):
    """Carries over what TransformerLens does not pass on to ``cfg``, from the wrapped model.

    Fields are on ``cfg`` once a model is wrapped, or at once where all of them are on it already.
    """

    #: Fields of the Hugging Face config.
    from_hf: ClassVar[tuple[str, ...]] = ()
    #: Field of the Hugging Face config with the kind of each layer.
    kinds_field: ClassVar[str] = ""
    #: Names of kinds in older releases -> their names here.
    former_kinds: ClassVar[Mapping[str, str]] = {}
    #: Hook in a block -> the field of ``cfg`` with the heads that its last axis is split into.
    heads: ClassVar[Mapping[str, str]] = {}
    #: Class of transformers of the one cache for all mixers.
    stateful_cache: ClassVar[str] = ""

    def __init__(self, cfg: Any) -> None:
        """Initialize the adapter for a TransformerLens config."""
        super().__init__(cfg)
        if self.stateful_cache:
            self.cfg.is_stateful = True
        if self.kinds_field and hasattr(cfg, self.kinds_field):
            self._take_kinds(self.cfg, cfg)
        if all(hasattr(cfg, name) for name in self.from_hf):
            self._take_fields(self.cfg, cfg)

    def derive(self, cfg: Any) -> None:
        """Set what is made of the fields that ``cfg`` has by now."""

    def setup_hook_compatibility(self, bridge: Any) -> None:
        """Set up what needs the wrapped model."""
        hf_config = bridge.original_model.config
        for cfg in configs_of(self.cfg, bridge):
            if self.kinds_field:
                self._take_kinds(cfg, hf_config)
            self._take_fields(cfg, hf_config)
        for block in bridge.blocks:
            for hook, heads in self.heads.items():
                split_heads(block, hook, getattr(self.cfg, heads))

    def convert_hf_key_to_tl_key(self, hf_key: str) -> str:
        """Translate the name of a weight, with the slot that its layer binds."""
        parts = super().convert_hf_key_to_tl_key(hf_key).split(".")
        kinds = getattr(self.components["blocks"], "kinds", {}) if self.kinds_field else {}
        if kinds and parts[0] == "blocks":
            own = kinds[getattr(self.cfg, self.kinds_field)[int(parts[1])]]
            at_path = [k for k in kinds.values() if k.component.name == own.component.name]
            if parts[2] in {kind.slot for kind in at_path}:
                parts[2] = own.slot
        return ".".join(parts)

    def create_stateful_cache(self, hf_model: Any, batch_size: int, device: Any, dtype: Any) -> Any:
        """One cache for keys and values and for the states of other mixers."""
        if not self.stateful_cache:
            return super().create_stateful_cache(hf_model, batch_size, device, dtype)
        return getattr(transformers, self.stateful_cache)(config=hf_model.config)

    def _take_kinds(self, cfg: Any, source: Any) -> None:
        """Set the kind of each layer that a TransformerLens or Hugging Face config gives."""
        kinds = [self.former_kinds.get(kind, kind) for kind in getattr(source, self.kinds_field)]
        setattr(cfg, self.kinds_field, kinds)

    def _take_fields(self, cfg: Any, source: Any) -> None:
        """Set the fields that a TransformerLens or Hugging Face config gives."""
        for name in self.from_hf:
            setattr(cfg, name, getattr(source, name))
        self.derive(cfg)
