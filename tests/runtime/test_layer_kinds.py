"""Blocks whose layers differ bind what their layer has, and nothing else."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from runtime_support import GeneralizedComponent, bind, torch
from torch import nn

from transformer_lens.model_bridge.generalized_components.layer_kinds import (
    LayerKind,
    blocks_with_kinds,
    configs_of,
    leave_out,
    split_heads,
    with_copies,
    with_pos_dim,
    without_hooks,
)


class Mixer(nn.Module):
    def __init__(self, config: Any = None) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.config = config

    def forward(self, hidden_states: Any) -> Any:
        return self.inner(hidden_states)


class Layer(nn.Module):
    """One block of Hugging Face, whose kind an attribute tells and a submodule shows."""

    def __init__(self, kind: str, name: str = "mixer", config: Any = None) -> None:
        super().__init__()
        self.kind = kind
        self.norm = nn.LayerNorm(4)
        setattr(self, name, Mixer(config))
        self.name = name

    def forward(self, hidden_states: Any) -> Any:
        return getattr(self, self.name)(self.norm(hidden_states))


class Block(GeneralizedComponent):
    hook_aliases: ClassVar[dict[str, Any]] = {
        "hook_resid_pre": "hook_in",
        "hook_mixer_in": "hook_in",
        "hook_resid_post": "hook_out",
        "hook_attn_out": ["attn.hook_out", "attn.o.hook_out"],
    }


def component(name: str, **hooks: Any) -> GeneralizedComponent:
    return GeneralizedComponent(name, submodules={"inner": GeneralizedComponent("inner")}, **hooks)


def blocks(**arguments: Any) -> Any:
    defaults = {
        "kinds": {
            "scan": LayerKind("mixer", component("mixer")),
            "attend": LayerKind("attn", component("mixer")),
        },
        "attribute": "kind",
        "former": {"old_attend": "attend"},
        "submodules": {"norm": GeneralizedComponent("norm")},
        "aliases": {
            "hook_mixer_in": ["mixer.hook_in", "attn.hook_in"],
            "hook_inner": ["attn.inner.hook_in"],
            "hook_resid_post": [],
        },
    }
    return blocks_with_kinds(Block, name="layers", **{**defaults, **arguments})


class TestKinds:
    @pytest.mark.parametrize(
        ("kind", "slot"), [("scan", "mixer"), ("attend", "attn"), ("old_attend", "attn")]
    )
    def test_told_by_an_attribute(self, kind: str, slot: str) -> None:
        block = bind(copy.deepcopy(blocks()), Layer(kind))
        assert set(block.submodules) == {"norm", slot}
        assert set(block.submodules[slot].submodules) == {"inner"}

    def test_unknown(self) -> None:
        with pytest.raises(ValueError, match=r"layers: layer kind 'other' is none of \['attend'"):
            bind(blocks(), Layer("other"))

    @pytest.mark.parametrize("name", ["scan", "attend"])
    def test_told_by_a_submodule(self, name: str) -> None:
        kinds = {
            each: LayerKind(slot, component(each), has_submodule=f"{each}.inner")
            for each, slot in (("scan", "mixer"), ("attend", "attn"))
        }
        block = bind(blocks(kinds=kinds, attribute=""), Layer("", name))
        assert set(block.submodules) == {"norm", {"scan": "mixer", "attend": "attn"}[name]}

    @pytest.mark.parametrize("paths", [("mixer", "mixer.inner"), ("one", "other")])
    def test_none_or_several_match(self, paths: tuple[str, str]) -> None:
        kinds = {path: LayerKind("mixer", component("mixer"), has_submodule=path) for path in paths}
        with pytest.raises(ValueError, match=f"layers: expected .* of {{'{paths[0]}': '{paths[0]}"):
            bind(blocks(kinds=kinds, attribute=""), Layer(""))

    @pytest.mark.parametrize("mixer", ["scan", "attend"])
    @pytest.mark.parametrize("kind", ["dense", "sparse"])
    @pytest.mark.parametrize("attribute", ["", "kind"])
    def test_several_at_once(self, mixer: str, kind: str, attribute: str) -> None:
        """A mixer, told by its module, beside what an attribute or another module tells."""
        kinds = {
            "scan": LayerKind("mixer", component("scan"), has_submodule="scan"),
            "attend": LayerKind("attn", component("attend"), has_submodule="attend"),
            **{
                each: LayerKind("mlp", component("mlp"), "" if attribute else f"mlp.{each}")
                for each in ("dense", "sparse")
            },
        }
        layer = Layer(kind, mixer)
        layer.mlp = Mixer()
        layer.mlp.add_module(kind, nn.Linear(4, 4))
        block = bind(blocks(kinds=kinds, attribute=attribute), layer)
        assert set(block.submodules) == {"norm", {"scan": "mixer", "attend": "attn"}[mixer], "mlp"}
        assert block.mlp.name == "mlp"

    def test_a_layer_may_lack_what_others_have(self) -> None:
        kinds = {"shared": LayerKind("shared", component("shared"), has_submodule="shared.inner")}
        assert set(bind(blocks(kinds=kinds, attribute=""), Layer("")).submodules) == {"norm"}
        with pytest.raises(ValueError, match="layers: expected a layer with exactly one of"):
            odd = Layer("", "shared")
            odd.shared = nn.Linear(4, 4)
            bind(blocks(kinds=kinds, attribute=""), odd)

    def test_several_of_one_slot_are_named(self) -> None:
        kinds = {
            each: LayerKind("mixer", component(each), has_submodule=each)
            for each in ("one", "other")
        }
        layer = Layer("", "one")
        layer.other = Mixer()
        with pytest.raises(ValueError, match=r"one of \{'one': 'one', 'other': 'other'\}"):
            bind(blocks(kinds=kinds, attribute=""), layer)

    def test_a_kind_cannot_be_changed_for_all_layers(self) -> None:
        kind = blocks().kinds["scan"]
        with pytest.raises(FrozenInstanceError):
            kind.slot = "attn"

    def test_layers_share_nothing(self) -> None:
        """TransformerLens copies one block for all layers."""
        template = blocks()
        made = [bind(copy.deepcopy(template), Layer(kind)) for kind in ("scan", "scan", "attend")]
        assert made[0].mixer is not made[1].mixer
        assert [set(block.submodules) for block in made] == [
            {"norm", "mixer"},
            {"norm", "mixer"},
            {"norm", "attn"},
        ]
        # The template has the slots of all kinds, by which names of weights are translated.
        assert set(template.submodules) == {"norm", "mixer", "attn"}

    def test_kinds_of_one_slot_are_one_in_the_template(self) -> None:
        other = GeneralizedComponent("mixer", submodules={"gate": GeneralizedComponent("gate")})
        kinds = {"scan": LayerKind("mlp", component("mixer")), "attend": LayerKind("mlp", other)}
        assert set(blocks(kinds=kinds).submodules["mlp"].submodules) == {"inner", "gate"}

    def test_deep_copy_of_a_bound_block_is_independent(self) -> None:
        block = bind(blocks(), Layer("attend"))
        made = copy.deepcopy(block)
        assert type(made) is type(block)
        states = torch.randn(2, 3, 4)
        assert torch.equal(made(states), block(states))
        with torch.no_grad():
            made.attn.inner.original_component.weight.zero_()
        assert not torch.equal(made(states), block(states))
        assert made.kinds == block.kinds

    def test_an_alias_leads_to_the_first_hook_that_the_layer_has(self) -> None:
        template = blocks()
        assert bind(copy.deepcopy(template), Layer("scan")).hook_aliases == {
            "hook_resid_pre": "hook_in",
            "hook_mixer_in": "mixer.hook_in",
        }
        assert bind(copy.deepcopy(template), Layer("attend")).hook_aliases == {
            "hook_resid_pre": "hook_in",
            "hook_mixer_in": "attn.hook_in",
            "hook_inner": "attn.inner.hook_in",
            "hook_attn_out": "attn.hook_out",
        }
        assert Block.hook_aliases["hook_mixer_in"] == "hook_in"

    def test_an_alias_of_a_hook_that_is_taken_off_goes(self) -> None:
        kinds = {"scan": LayerKind("mixer", without_hooks(component("mixer"), "hook_in"))}
        block = bind(blocks(kinds=kinds), Layer("scan"))
        assert set(block.hook_aliases) == {"hook_resid_pre"}

    def test_an_alias_of_what_the_config_leaves_out_goes(self) -> None:
        kinds = {
            "attend": LayerKind("attn", component("mixer"), conditional={"inner": ("x", True)})
        }
        layer = Layer("attend", config=SimpleNamespace(x=None))
        assert "hook_inner" not in bind(blocks(kinds=kinds), layer).hook_aliases


class TestConditions:
    @pytest.mark.parametrize("width", [None, 4])
    @pytest.mark.parametrize("is_set", [True, False])
    def test_submodules_and_hooks_of_a_kind(self, width: int | None, is_set: bool) -> None:
        conditional = {"inner": ("width", is_set), "hook_out": ("width", is_set)}
        kinds = {"scan": LayerKind("mixer", component("mixer"), conditional=conditional)}
        layer = Layer("scan", config=SimpleNamespace(width=width))
        block = bind(blocks(kinds=kinds), layer)
        stays = (width is not None) == is_set
        assert ("inner" in block.mixer.submodules) is stays
        assert ("hook_out" in block.mixer.get_hooks()) is stays
        assert "hook_in" in block.mixer.get_hooks()

    @pytest.mark.parametrize("found", [True, False, 0, 4, "rope", None])
    @pytest.mark.parametrize("value", [True, 0, "rope"])
    @pytest.mark.parametrize("holds", [True, False])
    def test_by_value(self, found: Any, value: Any, holds: bool) -> None:
        conditional = {"inner": ("width", holds, value)}
        kinds = {"scan": LayerKind("mixer", component("mixer"), conditional=conditional)}
        block = bind(blocks(kinds=kinds), Layer("scan", config=SimpleNamespace(width=found)))
        assert ("inner" in block.mixer.submodules) is ((found == value) is holds)

    @pytest.mark.parametrize("width", [None, 4])
    def test_of_every_layer(self, width: int | None) -> None:
        parts = {"mixer": component("mixer")}
        block = blocks_with_kinds(
            Block,
            name="layers",
            submodules=parts,
            conditional={"mixer.inner": ("width", True)},
        )
        bind(block, Layer("scan", config=SimpleNamespace(width=width)))
        assert ("inner" in block.mixer.submodules) is (width is not None)

    def test_without_conditions_no_config_is_asked_for(self) -> None:
        leave_out(component("mixer"), {}, nn.Linear(4, 4))


class TestHooks:
    def test_removed_hooks_are_not_offered(self) -> None:
        made = without_hooks(Block("layers"), "hook_in", "hook_resid_pre", "hook_of_nobody")
        assert set(made.get_hooks()) == {"hook_out"}
        assert set(made.hook_aliases) == set(Block.hook_aliases) - {"hook_resid_pre"}
        assert set(Block("layers").get_hooks()) == {"hook_in", "hook_out"}

    def test_axis_of_positions(self) -> None:
        made = with_pos_dim(component("mixer"), 2)
        assert (made.hook_in.pos_dim, made.hook_out.pos_dim) == (2, 2)
        one = with_pos_dim(component("mixer"), 0, "hook_in")
        assert (one.hook_in.pos_dim, one.hook_out.pos_dim) == (0, None)

    def test_tensors_that_are_written_into_have_gradients(self) -> None:
        made = bind(with_copies(component("mixer"), "hook_out"), Mixer())
        seen: list[Any] = []
        made.hook_out.add_hook(lambda gradient, hook: seen.append(gradient), dir="bwd")
        returned = made(torch.randn(2, 3, 4))
        returned += 1.0
        returned.sum().backward()
        assert torch.equal(seen[0], torch.ones(2, 3, 4))
        plain = bind(component("mixer"), Mixer())
        plain.hook_out.add_hook(lambda gradient, hook: None, dir="bwd")
        with pytest.raises(RuntimeError, match="inplace"):
            returned = plain(torch.randn(2, 3, 4))
            returned += 1.0

    def test_without_backward_hooks_nothing_is_copied(self) -> None:
        made = with_copies(component("mixer"), "hook_out")
        tensor = torch.randn(2, 3)
        assert made.hook_out(tensor) is tensor
        assert type(copy.deepcopy(made).hook_out) is type(made.hook_out)

    def test_last_axis_is_split_into_heads(self) -> None:
        block = bind(blocks(), Layer("scan"))
        split_heads(block, "mixer.inner.hook_out", 2)
        seen: list[Any] = []
        block.mixer.inner.hook_out.add_hook(lambda x, hook: seen.append(x))
        states = torch.randn(2, 3, 4)
        made = block(states)
        assert seen[0].shape == (2, 3, 2, 2)
        assert torch.equal(seen[0].flatten(2), made)

    def test_configs_of_layers(self) -> None:
        config = SimpleNamespace(width=1)
        own = SimpleNamespace(width=2)
        parts = {"mixer": GeneralizedComponent("mixer", config=own)}
        block = bind(Block("layers", config=config, submodules=parts), Layer("scan"))
        found = list(configs_of(config, SimpleNamespace(blocks=[block])))
        assert [each is config for each in found] == [True, False]
        assert found[1] is own
