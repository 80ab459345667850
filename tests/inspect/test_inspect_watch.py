"""Uses of weights whose module is not called, in every way that a model may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.heavy

torch = pytest.importorskip("torch")

from adaptergen.inspection.watch import watching  # noqa: E402  it imports torch

SIZE = 4


def kernel(x: Any, weight: Any) -> Any:
    """What torch sees nothing of, like a kernel on a GPU."""
    return torch.from_numpy(x.detach().numpy() * weight.detach().numpy().sum())


def by_function(layer: Any, x: Any) -> Any:
    return torch.nn.functional.linear(x, layer.part.weight)


class Held:
    """No module, and holds a weight."""

    def __init__(self, weight: Any) -> None:
        self.weight = weight


class Layer(torch.nn.Module):
    def __init__(self, way: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.part = torch.nn.Linear(SIZE, SIZE)
        self.own = torch.nn.Parameter(torch.ones(SIZE))
        self.way = way
        self.held = Held(self.part.weight)
        self.kept = [self.part.weight]

    def forward(self, x: Any) -> Any:
        return self.way(self, x) * self.own


def used_by(way: Callable[[Any, Any], Any]) -> list[tuple[str, str, str]]:
    layer = Layer(way)
    with watching(layer) as seen:
        layer(torch.ones(2, SIZE))
    names = {id(module): name for name, module in layer.named_modules()}
    return [
        (f"{names[use.module]}.{use.parameter}", use.function.rpartition(".")[2], use.how)
        for use in seen.functional()
    ]


def in_an_operator(layer: Any, x: Any) -> Any:
    return x @ layer.part.weight


def from_an_object(layer: Any, x: Any) -> Any:
    return x @ layer.held.weight


def from_a_list(layer: Any, x: Any) -> Any:
    return torch.stack([weight.sum() for weight in layer.kept]).sum() * x


def by_a_method(layer: Any, x: Any) -> Any:
    return layer.part.forward(x)


def by_a_kernel(layer: Any, x: Any) -> Any:
    return kernel(x, layer.part.weight)


def in_a_comprehension(layer: Any, x: Any) -> Any:
    return sum(x @ weight for weight in [layer.part.weight])


@pytest.mark.parametrize(
    ("way", "function", "how"),
    [
        (by_function, "by_function", "read"),
        (in_an_operator, "in_an_operator", "read"),
        (in_a_comprehension, "in_a_comprehension", "read"),
        (by_a_kernel, "by_a_kernel", "read"),
        (from_an_object, "from_an_object", "operation"),
        (from_a_list, "from_a_list", "operation"),
    ],
)
def test_a_use_names_the_function(way: Any, function: str, how: str) -> None:
    assert used_by(way) == [("part.weight", function, how)]


def test_a_forward_that_fires_no_hooks_is_a_method() -> None:
    assert set(used_by(by_a_method)) == {
        ("part.weight", "forward", "method"), ("part.bias", "forward", "method"),
    }  # fmt: skip


def called(layer: Any, x: Any) -> Any:
    return layer.part(x)


def called_and_used(layer: Any, x: Any) -> Any:
    return layer.part(x) @ layer.part.weight


def only_asked(layer: Any, x: Any) -> Any:
    return x.to(layer.part.weight.dtype) + layer.part.weight.shape[0] + layer.part.weight.size(0)


def untouched(layer: Any, x: Any) -> Any:
    return x


@pytest.mark.parametrize("way", [called, called_and_used, only_asked, untouched])
def test_what_is_not_functional(way: Any) -> None:
    assert used_by(way) == []


def test_asked_and_used_is_used() -> None:
    def both(layer: Any, x: Any) -> Any:
        return kernel(x.to(layer.part.weight.dtype), layer.part.weight)

    assert used_by(both) == [("part.weight", "both", "read")]


def test_one_who_asks_does_not_hide_one_who_uses() -> None:
    def asks(layer: Any) -> Any:
        return layer.part.weight.dtype

    def uses(layer: Any, x: Any) -> Any:
        return kernel(x.to(asks(layer)), layer.part.weight)

    assert used_by(uses) == [("part.weight", "uses", "read")]


def test_nothing_is_left_behind() -> None:
    before = torch.nn.Module.__getattr__
    layer = Layer(untouched)
    with pytest.raises(ZeroDivisionError), watching(layer):
        raise ZeroDivisionError
    assert torch.nn.Module.__getattr__ is before
    assert {type(parameter) for parameter in layer.parameters()} == {torch.nn.Parameter}
    assert not layer._forward_pre_hooks and not layer.part._forward_pre_hooks
