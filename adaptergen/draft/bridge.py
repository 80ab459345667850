"""Any model as a bridge of TransformerLens, without a file: `adaptergen.bridge(model)`."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptergen import resources
from adaptergen.contract.models import bridge_config
from adaptergen.draft.contracts import exceptions
from adaptergen.draft.draft import bind, draft_of, small_model
from adaptergen.generate import plan as plan_of
from adaptergen.inspection.runs import tokens
from adaptergen.plan.model import Plan, layer_tables
from adaptergen.problems import Failed
from adaptergen.render.adapter import render_adapter
from adaptergen.verify.target import make_target

__all__ = ["BridgeReport", "bridge"]

_LAYER = re.compile(r"^blocks\.\d+\.")


@dataclass(frozen=True)
class BridgeReport:
    """What a bridge hooks, what of it is an exception, and what stays opaque."""

    architecture: str
    source: str
    """The spec that the bridge is of, or `draft`."""
    hooks: int
    """The number of hooks of the model."""
    exceptions: Mapping[str, str]
    """Hooks that are not live -> `on_request`, `read_only`, `silent` or `silent_in_decode`."""
    opaque: tuple[str, ...]
    """Modules with weights that no hook is in or around, by their paths at Hugging Face."""

    def __str__(self) -> str:
        counts = Counter(self.exceptions.values())
        few = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in counts.items())
        lines = [
            f"{self.architecture}, by {self.source}: {self.hooks} hooks"
            + (f", all live except {few}" if few else ", all live"),
        ]
        if self.opaque:
            lines.append(f"without hooks of their own: {', '.join(self.opaque)}")
        return "\n".join(lines)


def bridge(
    target: Any,
    *,
    tokenizer: Any = None,
    dtype: Any = None,
    device_map: Any = None,
    trust_remote_code: bool = False,
) -> Any:
    """A `TransformerBridge` around a model of Hugging Face, whatever its class.

    A class that adaptergen has a spec for gets the adapter of the spec. For any other class, a
    small model of the same config is run and measured, and the adapter follows from what it does.

    A folder or id is loaded with eager attention. A model with ``sdpa`` keeps it, and computes
    attention by steps while hooks on the steps are attached, which rounds otherwise.

    Args:
        target: A loaded model, which is changed in place; a folder; or an id on the Hub.
        tokenizer: A tokenizer; that of a folder or id is loaded if there is one.
        dtype: The dtype to load a folder or id in.
        device_map: As `from_pretrained` takes it.
        trust_remote_code: Whether code of a folder or id may be run.

    Returns:
        The bridge. Its attribute `report` says what is hooked; see `BridgeReport`.

    Raises:
        Failed: No model of the class runs, or no list of layers is found in it.
    """
    model = target
    if isinstance(target, (str, Path)):
        model, found = _load(str(target), dtype, device_map, trust_remote_code)
        tokenizer = tokenizer or found
    architecture = type(model).__name__
    spec = _spec_of(architecture)
    small = _small(model)
    with _step_by_step(small):
        plan, source = (
            (plan_of(spec), f"the spec {spec.name}") if spec else (draft_of(small).plan, "a draft")
        )
        states = exceptions(bind(copy.deepcopy(small), plan), tokens(small))
    made = _wrapped(model, plan, tokenizer)
    made.report = BridgeReport(
        architecture,
        source,
        len(made.hook_dict),
        _states(plan, states),
        tuple(_opaque(made.original_model)),
    )
    return made


def _load(name: str, dtype: Any, device_map: Any, trust: bool) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Eager, as TransformerLens loads models: with and without hooks the logits are the same.
    options = {"dtype": dtype, "device_map": device_map, "attn_implementation": "eager"}
    given = {key: value for key, value in options.items() if value is not None}
    model = AutoModelForCausalLM.from_pretrained(name, trust_remote_code=trust, **given)
    try:
        return model.eval(), AutoTokenizer.from_pretrained(name, trust_remote_code=trust)
    except (OSError, ValueError):
        return model.eval(), None


def _spec_of(architecture: str) -> Path | None:
    """The spec of a class among those that come with adaptergen."""
    line = f"architecture: {architecture}\n"
    specs = sorted(resources.specs().glob("*.yaml"))
    return next((path for path in specs if line in path.read_text("utf-8")), None)


def _small(model: Any) -> Any:
    """A small model of the same config with eager attention; the model itself if there is none."""
    try:
        return small_model(type(model), model.config.to_dict())[0]
    except Failed:
        return model


@contextmanager
def _step_by_step(model: Any) -> Iterator[None]:
    """Have a model compute attention by steps that can be seen, as far as it can be told to."""
    before = model.config._attn_implementation
    if before != "eager":
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        if before != "eager":
            model.set_attn_implementation(before)


def _wrapped(model: Any, plan: Plan, tokenizer: Any) -> Any:
    from transformer_lens.model_bridge import TransformerBridge
    from transformer_lens.model_bridge.sources import _bridge_builder

    adapter_class = make_target(plan, render_adapter(plan)).adapter
    architecture, config = plan.spec.architecture, model.config
    name = getattr(config, "_name_or_path", "") or architecture
    adapter = adapter_class(bridge_config(architecture, config, name, model.dtype))
    adapter.cfg.device = str(model.device) if model.device.type != "meta" else "cpu"
    adapter.prepare_model(model)
    if tokenizer is not None:
        tokenizer = _bridge_builder.configure_tokenizer(tokenizer, adapter.cfg)
    return TransformerBridge(model, adapter, tokenizer)


def _opaque(module: Any, path: str = "") -> Iterator[str]:
    """Modules of Hugging Face with weights of their own that no component wraps."""
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    is_component = isinstance(module, GeneralizedComponent)
    if not is_component and any(True for _ in module.parameters(recurse=False)):
        yield path
    held = module.original_component if is_component else module
    for name, child in held.named_children() if held is not None else ():
        yield from _opaque(child, f"{path}.{name}" if path else name)


def _states(plan: Plan, measured: Mapping[str, str]) -> dict[str, str]:
    """The exceptions that were measured; what fires on request is so by the plan."""
    tables = (plan.model_hooks, *(table for _, table in layer_tables(plan)))
    asked = {row.name for table in tables for row in table if row.state == "on_request"}
    return {
        name: "on_request" if _LAYER.sub("", name) in asked else state
        for name, state in measured.items()
    }
