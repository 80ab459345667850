"""An adapter as data: what it carries over, early and late, and what it translates."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from runtime_support import GeneralizedComponent, bind, record, torch
from transformers import DynamicCache, MambaConfig

from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge.generalized_components.declarative_adapter import (
    DeclarativeAdapter,
)
from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    LayerKind,
    blocks_with_kinds,
)

KINDS = ["scan", "attend", "scan"]


class Adapter(DeclarativeAdapter):
    from_hf = ("groups", "state")
    kinds_field = "layer_kinds"
    former_kinds: ClassVar[dict[str, str]] = {"old_scan": "scan"}
    stateful_cache = "DynamicCache"

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)

        def mixer() -> GeneralizedComponent:
            return GeneralizedComponent("mixer", submodules={"inner": GeneralizedComponent("proj")})

        kinds = {"scan": LayerKind("mixer", mixer()), "attend": LayerKind("attn", mixer())}
        self.component_mapping = {
            "embed": GeneralizedComponent("model.embed"),
            "blocks": blocks_with_kinds(
                GeneralizedComponent,
                name="model.layers",
                submodules={"norm": GeneralizedComponent("norm")},
                kinds=kinds,
                attribute="kind",
            ),
        }

    def derive(self, cfg: Any) -> None:
        cfg.width = cfg.groups * cfg.state


def cfg(**fields: Any) -> Any:
    made = TransformerBridgeConfig(d_model=8, d_head=4, n_layers=3, n_ctx=16, n_heads=2)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def bridge(**fields: Any) -> Any:
    """What an adapter sees of a bridge: the wrapped model's config, and the blocks."""
    return SimpleNamespace(
        original_model=SimpleNamespace(config=SimpleNamespace(**fields)), blocks=[]
    )


class TestFields:
    def test_early_where_all_are_known(self) -> None:
        adapter = Adapter(cfg(groups=3, state=5, layer_kinds=["old_scan", "attend"]))
        assert adapter.cfg.width == 15
        assert adapter.cfg.layer_kinds == ["scan", "attend"]

    def test_late_from_the_wrapped_model(self) -> None:
        adapter = Adapter(cfg(groups=3))
        assert not hasattr(adapter.cfg, "width")
        adapter.setup_hook_compatibility(bridge(groups=2, state=7, layer_kinds=["old_scan"]))
        assert (adapter.cfg.groups, adapter.cfg.state, adapter.cfg.width) == (2, 7, 14)
        assert adapter.cfg.layer_kinds == ["scan"]

    @pytest.mark.parametrize("missing", ["groups", "layer_kinds"])
    def test_one_that_is_missing_is_an_error(self, missing: str) -> None:
        fields = {"groups": 2, "state": 7, "layer_kinds": KINDS}
        del fields[missing]
        with pytest.raises(AttributeError, match=missing):
            Adapter(cfg()).setup_hook_compatibility(bridge(**fields))

    def test_copies_that_components_hold_get_them_too(self) -> None:
        adapter, own = Adapter(cfg()), cfg()
        part = GeneralizedComponent("mixer", config=own)
        target = bridge(groups=2, state=7, layer_kinds=KINDS)
        target.blocks = [part]
        adapter.setup_hook_compatibility(target)
        assert own.width == 14
        assert own.layer_kinds == KINDS


def test_names_of_weights_have_the_slot_of_their_layer() -> None:
    adapter = Adapter(cfg(layer_kinds=KINDS))
    assert [
        adapter.convert_hf_key_to_tl_key(f"model.layers.{layer}.mixer.proj.weight")
        for layer in range(3)
    ] == [
        "blocks.0.mixer.inner.weight",
        "blocks.1.attn.inner.weight",
        "blocks.2.mixer.inner.weight",
    ]
    assert adapter.convert_hf_key_to_tl_key("model.layers.1.norm.weight") == "blocks.1.norm.weight"
    assert adapter.convert_hf_key_to_tl_key("model.embed.weight") == "embed.weight"


def test_cache_of_all_mixers() -> None:
    config = MambaConfig(num_hidden_layers=2)
    adapter = Adapter(cfg())
    assert adapter.cfg.is_stateful
    model = SimpleNamespace(config=config)
    made = adapter.create_stateful_cache(model, 2, "cpu", None)
    assert isinstance(made, DynamicCache)
    assert len(made.layers) == 2


def test_without_a_cache_of_its_own_the_adapter_asks_for_none() -> None:
    class Plain(DeclarativeAdapter):
        pass

    adapter = Plain(cfg())
    assert not adapter.cfg.is_stateful
    with pytest.raises(NotImplementedError):
        adapter.create_stateful_cache(None, 2, "cpu", None)


def test_layers_that_are_alike_have_no_slots() -> None:
    adapter = Adapter(cfg(layer_kinds=KINDS))
    adapter.component_mapping["blocks"] = GeneralizedComponent(
        "model.layers", submodules={"norm": GeneralizedComponent("norm")}
    )
    assert adapter.convert_hf_key_to_tl_key("model.layers.1.norm.weight") == "blocks.1.norm.weight"


class Plain(DeclarativeAdapter):
    """An adapter whose layers have kinds, with all else as it is by default."""

    kinds_field = "layer_kinds"


def test_kinds_that_no_release_called_otherwise() -> None:
    adapter = Plain(cfg(layer_kinds=KINDS))
    assert adapter.cfg.layer_kinds == KINDS
    adapter.setup_hook_compatibility(bridge(layer_kinds=KINDS[:2]))
    assert adapter.cfg.layer_kinds == KINDS[:2]


def test_a_config_without_fields_is_left_alone() -> None:
    class Bare(DeclarativeAdapter):
        pass

    own = cfg()
    before = dict(vars(own))
    Bare(own).setup_hook_compatibility(bridge())
    assert vars(own) == before


def test_hooks_are_split_into_heads_on_every_layer() -> None:
    class Headed(DeclarativeAdapter):
        heads: ClassVar[dict[str, str]] = {"mixer.hook_out": "n_heads"}

    blocks = []
    for _ in range(2):
        layer = torch.nn.Module()
        layer.mixer = torch.nn.Linear(8, 8)
        parts = {"mixer": GeneralizedComponent("mixer")}
        blocks.append(bind(GeneralizedComponent("layers", submodules=parts), layer))
    target = bridge()
    target.blocks = blocks
    Headed(cfg()).setup_hook_compatibility(target)
    for block in blocks:
        seen = record(block.mixer, "hook_out")
        made = block.mixer(torch.ones(2, 3, 8))
        assert seen["hook_out"][0].shape == (2, 3, 2, 4)
        assert torch.equal(seen["hook_out"][0].flatten(2), made)
