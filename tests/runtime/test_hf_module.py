"""Modules and blocks as Hugging Face has them: hooks on the first tensor, wherever it stands."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import pytest
from runtime_support import GeneralizedComponent, bind, edit, record, torch
from torch import nn

from transformer_lens.model_bridge.generalized_components.hf_module import (
    HFBlockBridge,
    HFModuleBridge,
)

Output = namedtuple("Output", "flag states other")


class Module(nn.Module):
    """Returns what it is told to make of its states."""

    def __init__(self, returns: Any) -> None:
        super().__init__()
        self.norm, self.returns = nn.Identity(), returns

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.returns(*args, **kwargs)


@pytest.fixture
def states() -> Any:
    return torch.ones(2, 3, 4)


def wrapped(returns: Any, cls: Any = HFModuleBridge) -> Any:
    return bind(cls("mixer"), Module(returns))


class TestInput:
    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_the_first_tensor_by_position(self, states: Any, at: int) -> None:
        component = wrapped(lambda *args, **kwargs: (args, kwargs))
        args = [None, None, None, 5 * states]
        args[at] = states
        seen = record(component, "hook_in")
        edit(component, "hook_in", lambda x: x + 1)
        given, named = component(*args, mask=7 * states)
        assert torch.equal(seen["hook_in"][0], states)
        assert len(seen["hook_in"]) == 1
        assert torch.equal(given[at], states + 1)
        assert torch.equal(given[3], 5 * states)
        assert [each for each in given[:3] if each is None] == [None, None]
        assert torch.equal(named["mask"], 7 * states)

    @pytest.mark.parametrize("names", [("mask", "hidden_states"), ("x", "mask")])
    def test_by_keyword(self, states: Any, names: tuple[str, str]) -> None:
        """The stream, or where nothing is called so, the first tensor."""
        component = wrapped(lambda **kwargs: [kwargs])
        edit(component, "hook_in", lambda x: x + 1)
        ((given),) = component(**{"flag": True}, **dict.fromkeys(names, states))
        hooked = "hidden_states" if "hidden_states" in names else "x"
        assert given["flag"] is True
        for name in names:
            assert torch.equal(given[name], states + 1 if name == hooked else states)

    def test_none(self) -> None:
        component = wrapped(lambda flag, other: (flag, other))
        seen = record(component, "hook_in", "hook_out")
        assert component(1, other=2) == (1, 2)
        assert not seen["hook_in"] and not seen["hook_out"]


#: Containers in which a module may return its states, after something else and before another.
CONTAINERS: dict[str, Any] = {
    "tuple": lambda x: (None, x, 3 * x),
    "list": lambda x: [None, x, 3 * x],
    "mapping": lambda x: OrderedDict(flag=None, states=x, other=3 * x),
    "named": lambda x: Output(None, x, 3 * x),
}


class TestOutput:
    def test_a_tensor(self, states: Any) -> None:
        component = wrapped(lambda x: 2 * x)
        edit(component, "hook_out", lambda x: x + 1)
        assert torch.equal(component(states), 2 * states + 1)

    @pytest.mark.parametrize("cls", [HFModuleBridge, HFBlockBridge])
    @pytest.mark.parametrize("name", ["list", "mapping", "named"])
    def test_the_first_tensor_in_a_container(self, states: Any, name: str, cls: Any) -> None:
        component = wrapped(CONTAINERS[name], cls)
        seen = record(component, "hook_out")
        edit(component, "hook_out", lambda x: x + 1)
        made = component(states)
        assert type(made) is type(CONTAINERS[name](states))
        flag, first, other = made.values() if name == "mapping" else made
        assert flag is None
        assert torch.equal(first, states + 1)
        assert torch.equal(other, 3 * states)
        assert len(seen["hook_out"]) == 1

    def test_the_first_tensor_in_a_tuple(self, states: Any) -> None:
        component = wrapped(CONTAINERS["tuple"])
        edit(component, "hook_out", lambda x: x + 1)
        flag, first, other = component(states)
        assert flag is None
        assert torch.equal(first, states + 1)
        assert torch.equal(other, 3 * states)

    def test_a_container_that_can_be_changed_is_the_same(self, states: Any) -> None:
        """Somebody may have kept it."""
        kept: list[Any] = []

        def returns(x: Any) -> Any:
            kept.append([x])
            return kept[0]

        component = wrapped(returns)
        edit(component, "hook_out", lambda x: x + 1)
        assert component(states) is kept[0]
        assert torch.equal(kept[0][0], states + 1)

    def test_none(self, states: Any) -> None:
        assert wrapped(lambda x: None)(states) is None


class TestBlock:
    @pytest.mark.parametrize("by_keyword", [True, False])
    @pytest.mark.parametrize("is_tuple", [True, False])
    def test_a_block_called_alone_returns_what_the_module_does(
        self, states: Any, is_tuple: bool, by_keyword: bool
    ) -> None:
        def returns(hidden_states: Any) -> Any:
            return (2 * hidden_states,) if is_tuple else 2 * hidden_states

        component = wrapped(returns, HFBlockBridge)
        edit(component, "hook_out", lambda x: x + 1)
        made = component(hidden_states=states) if by_keyword else component(states)
        assert isinstance(made, tuple) is is_tuple
        assert torch.equal(made[0] if is_tuple else made, 2 * states + 1)

    def test_names_of_the_stream_alone(self) -> None:
        block = HFBlockBridge("layers")
        assert block.hook_aliases == {"hook_resid_pre": "hook_in", "hook_resid_post": "hook_out"}

    @pytest.mark.parametrize(
        ("norms", "offered"),
        [((), False), (("ln1",), False), (("ln2",), True), (("ln2_post",), True)],
    )
    def test_the_input_of_an_mlp_is_offered_where_a_norm_tells_it(
        self, norms: tuple[str, ...], offered: bool
    ) -> None:
        parts = {name: GeneralizedComponent("norm") for name in norms}
        parts["mlp"] = GeneralizedComponent("mlp")
        block = HFBlockBridge("layers", submodules=parts)
        assert ("hook_mlp_in" in block.get_hooks()) is offered
