"""Greedy tokens: with a cache, without one and HF's own are the same."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nemotron_h_support import (
    TransformerBridge,
    fresh,
    greedy,
    hf_greedy,
    make_hf,
    prompt,
    register,
    save_checkpoint,
    torch,
)

NEW = 16
LENGTHS = range(1, 10)


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def hf() -> Any:
    return make_hf()


@pytest.fixture(scope="module")
def bridge() -> Any:
    return fresh()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def expected(hf: Any) -> dict[int, Any]:
    """Prompt and continuation of HF, by the length of the prompt."""
    with torch.no_grad():
        return {length: hf_greedy(hf, prompt(length), NEW) for length in LENGTHS}


def without_cache(bridge: Any, tokens: Any) -> Any:
    for _ in range(NEW):
        following = bridge(tokens, use_cache=False)[:, -1:].argmax(-1)
        tokens = torch.cat([tokens, following], dim=1)
    return tokens


@pytest.mark.parametrize("length", LENGTHS)
def test_live_model(bridge: Any, expected: dict[int, Any], length: int) -> None:
    tokens = prompt(length)
    assert torch.equal(greedy(bridge, tokens, NEW), expected[length])
    assert torch.equal(without_cache(bridge, tokens), expected[length])


def test_tokens_depend_on_the_prompt(hf: Any) -> None:
    """Otherwise equal tokens would prove little."""
    made = hf_greedy(hf, prompt(9, batch=8), NEW)[:, 9:]
    assert len({tuple(row) for row in made.tolist()}) == 8
    assert made.unique().numel() > 12


@pytest.mark.parametrize("pads", [1, 4, 8])
def test_left_padding(hf: Any, bridge: Any, pads: int) -> None:
    tokens = prompt(9)
    mask = torch.ones_like(tokens)
    mask[0, :pads] = 0
    expected = hf_greedy(hf, tokens, NEW, mask)
    assert torch.equal(greedy(bridge, tokens, NEW, attention_mask=mask), expected)
    # The mask matters: alone, the padded row goes on as its own tokens do.
    assert torch.equal(expected[:1, pads:], hf_greedy(hf, tokens[:1, pads:], NEW))


def test_boot_from_a_folder(folder: Path, expected: dict[int, Any]) -> None:
    adapter = register.register()
    try:
        bridge = TransformerBridge.boot_transformers(str(folder), device="cpu")
    finally:
        register.unregister()
    assert type(bridge.adapter) is adapter
    for length in LENGTHS:
        assert torch.equal(greedy(bridge, prompt(length), NEW), expected[length])
    tokens, whole = prompt(9)[:1], expected[9][:1]
    assert torch.equal(without_cache(bridge, tokens), whole)

    text = " ".join(bridge.tokenizer.convert_ids_to_tokens(tokens[0].tolist()))
    assert torch.equal(bridge.to_tokens(text, prepend_bos=False), tokens)
    made = greedy(bridge, text, NEW, prepend_bos=False, return_type="tokens")
    assert torch.equal(made, whole)


def test_register_twice_loads_once() -> None:
    """Pickle finds a class by name, and refuses to save one that is another by now."""
    first = register.register()
    try:
        assert register.register() is first
        assert pickle.loads(pickle.dumps(first)) is first
    finally:
        register.unregister()
    assert register.register() is first
    register.unregister()
