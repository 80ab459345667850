"""The draft of a class that has a committed spec, held against the spec: what differs, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SPECS = sorted(path.stem for path in (ROOT / "specs").glob("*.yaml"))

#: Why a draft is otherwise -> what is, as `differences` says it, beside the names of specs.
WHY = {
    "modules have the names of Hugging Face; the tensors are hooked": (
        r".*: other name: attn\.[qkvo]\.hook_(in|out)",
        r".*: other name: mlp\.gate\.hook_(in|out)",
        r"nemotron_h: other name: norm\.hook_(in|out|scale|normalized)",
        r"nemotron_h: other name: mixer\.inner_norm\.hook_(in|out)",
    ),
    "what of several roles is at one path is one slot, `mixer`, and its MLP is a plain module": (
        r"nemotron_h: other name: attn\.hook_(in|out|attn_scores|pattern)",
        r"nemotron_h: other name: mlp\.(experts\.|shared_experts\.((in|out)\.)?|(in|out)\.)?"
        r"hook_(in|out)",
        r"nemotron_h: aliases: mixer\.(hook_out|in_proj\.hook_out): .*",
    ),
    "the rotation is hooked once, outside the layers": (
        r".*: other name: attn\.hook_(cos|sin|freqs_cis)",
    ),
    "queries and keys of a draft are those that attention takes, after the rotation": (
        r"helium: other name: attn\.hook_rot_[qk]",
        r"deepseek_v[23]: no attn\.hook_rot_[qk]",
    ),
    "the norm that returns the tensor has the hook": (
        r"deepseek_v[23]: other name: attn\.hook_(q|kv)_latent",
    ),
    "Hugging Face's axis of one head is kept, which the spec leaves out": (
        r"deepseek_v[23]: shape: attn\.kv_b_proj\.hook_(in|out): .*",
    ),
    "only a component of TransformerLens, or of the family, computes it when asked": (
        r".*: no attn\.hook_result, which is on_request",
        r"helium: no attn\.hook_(attn_in|[qkv]_input), which is on_request",
        r"nemotron_h: no mixer\.hook_ssm_(state|write), which is on_request",
    ),
    "of several tensors that a module takes or returns, the first is hooked": (
        r".*: no mlp\.gate\.hook_expert_(indices|weights)",
        r"nemotron_h: no mixer\.inner_norm\.hook_gate",
    ),
    "Hugging Face reads the weight of the convolution and does not call the module": (
        r"nemotron_h: no mixer\.conv1d\.hook_(in|out)",
    ),
}


def measured(plan: Any, settings: Mapping[str, Any]) -> Any:
    """The tiny model with these settings, with the adapter of a plan, and what its hooks held."""
    from dataclasses import replace

    from adaptergen.contract.findings import ModelReport
    from adaptergen.contract.models import ModelUnderTest, quiet
    from adaptergen.render.adapter import render_adapter
    from adaptergen.verify.target import make_target

    target = make_target(plan, render_adapter(plan))
    tables = replace(target.tables, config=settings)
    with quiet():
        return ModelUnderTest.tiny(tables, target.adapter, "default", ModelReport("tiny", ()))


def differences(spec: Any, draft: Any) -> Iterator[str]:
    """What a draft has otherwise, by the names of hooks within their layers."""
    drafted = {hook.name: hook for hook in draft.hooks}
    for hook in spec.hooks:
        other = drafted.pop(hook.name, None)
        held = spec.activations.get(hook.name)
        if other is not None:
            shapes = spec.shape(hook.contract, 3, 7), draft.shape(other.contract, 3, 7)
            if shapes[0] != shapes[1]:
                yield f"shape: {hook.short}: {hook.contract.shape} / {other.contract.shape}"
            if hook.state != other.state:
                yield f"state: {hook.short}: {hook.state} / {other.state}"
            if hook.contract.aliases != other.contract.aliases:
                yield f"aliases: {hook.short}: {hook.contract.aliases} / {other.contract.aliases}"
            if held is not None and not is_same(held, draft.activations[hook.name]):
                yield f"tensor: {hook.short}"
        elif held is None:
            yield f"no {hook.short}, which is {hook.state}"
        elif any(is_same(held, one) for one in draft.activations.values()):
            yield f"other name: {hook.short}"
        else:
            yield f"no {hook.short}"
    for hook in drafted.values():
        held = draft.activations[hook.name]
        if not any(is_same(held, one) for one in spec.activations.values()):
            yield f"more: {hook.short}"


def is_same(one: Any, other: Any) -> bool:
    """Whether two tensors hold the same, with heads before or after positions."""
    import torch

    if one.numel() != other.numel():
        return False
    turned = [other, *([other.transpose(1, 2)] if other.dim() == 4 else [])]
    return any(torch.equal(one.flatten(), way.flatten()) for way in turned)


@pytest.fixture(scope="module")
def found() -> set[str]:
    """Every difference between a committed spec and the draft of its tiny model."""
    from adaptergen.contract.models import tiny_model
    from adaptergen.draft.draft import measured_draft
    from adaptergen.generate import plan as plan_of
    from adaptergen.render.tables import adapter_tables

    found = set()
    for name in SPECS:
        plan = plan_of(ROOT / "specs" / f"{name}.yaml")
        tables = adapter_tables(plan)
        draft = measured_draft(tiny_model(tables), tables.config)
        pair = measured(plan, tables.config), measured(draft.plan, tables.config)
        found |= {f"{name}: {one}" for one in differences(*pair)}
    return found


def test_every_difference_has_a_reason(found: set[str]) -> None:
    known = [re.compile(pattern) for patterns in WHY.values() for pattern in patterns]
    assert sorted(one for one in found if not any(k.fullmatch(one) for k in known)) == []


def test_every_reason_has_a_difference(found: set[str]) -> None:
    patterns = [pattern for patterns in WHY.values() for pattern in patterns]
    assert [one for one in patterns if not any(re.fullmatch(one, x) for x in found)] == []
