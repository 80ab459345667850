"""Any model as a bridge of TransformerLens, without a file: `adaptergen.bridge(model)`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.auto import modeling_auto

from adaptergen import resources
from adaptergen.contract.models import wrap
from adaptergen.draft.contracts import LAYER, measure_contracts
from adaptergen.draft.draft import draft_of, small_model
from adaptergen.generate import plan as plan_of
from adaptergen.inspection.runs import forward, tokens
from adaptergen.plan.model import Plan, layer_tables
from adaptergen.problems import Failed
from adaptergen.render.adapter import render_adapter
from adaptergen.verify.target import make_target
from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

__all__ = ["BridgeReport", "bridge"]


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
    unbound: Mapping[str, str]
    """Modules with weights that no component wraps, by their paths at Hugging Face -> why."""

    def __str__(self) -> str:
        counts = Counter(self.exceptions.values())
        few = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in counts.items())
        lines = [
            f"{self.architecture}, by {self.source}: {self.hooks} hooks"
            + (f", all live except {few}" if few else ", all live"),
        ]
        for why in dict.fromkeys(self.unbound.values()):
            paths = [path for path, reason in self.unbound.items() if reason == why]
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
            reason = f": {why}" if why else ""
            lines.append(f"without hooks of its own: {', '.join(paths[:3])}{more}{reason}")
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
    alone = model if small is None else small
    name = getattr(model.config, "_name_or_path", "") or architecture
    with _step_by_step(alone):
        plan = plan_of(spec) if spec else draft_of(alone).plan
        adapter = make_target(plan, render_adapter(plan)).adapter
        made = wrap(architecture, adapter, model, name, tokenizer)
        observed = made if small is None else wrap(architecture, adapter, small)
        states = measure_contracts(observed).states
        apart = unbound(observed)
    made.report = BridgeReport(
        architecture,
        f"the spec {spec.name}" if spec else "a draft",
        len(made.hook_dict),
        _states(plan, states),
        apart,
    )
    return made


def _load(name: str, dtype: Any, device_map: Any, trust: bool) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(name, trust_remote_code=trust)
    # Eager, as TransformerLens loads models: with and without hooks the logits are the same.
    options = {"dtype": dtype, "device_map": device_map, "attn_implementation": "eager"}
    given = {key: value for key, value in options.items() if value is not None}
    model = _class_of(config).from_pretrained(name, trust_remote_code=trust, **given)
    try:
        return model.eval(), AutoTokenizer.from_pretrained(name, trust_remote_code=trust)
    except (OSError, ValueError):
        return model.eval(), None


def _class_of(config: Any) -> Any:
    """The class that a checkpoint names, where it predicts tokens; else the causal one."""
    from transformers import AutoModelForCausalLM

    mappings = (
        modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )
    known = {name for names in mappings for name in names.values()}
    named = [name for name in config.architectures or () if name in known]
    return getattr(transformers, named[0]) if named else AutoModelForCausalLM


def _spec_of(architecture: str) -> Path | None:
    """The spec of a class among those that come with adaptergen."""
    line = f"architecture: {architecture}\n"
    specs = sorted(resources.specs().glob("*.yaml"))
    return next((path for path in specs if line in path.read_text("utf-8")), None)


def _small(model: Any) -> Any:
    """A small model of the same config with eager attention; None if none runs."""
    try:
        return small_model(type(model), model.config.to_dict())[0]
    except Failed:
        return None


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


def unbound(made: Any) -> dict[str, str]:
    """Modules of Hugging Face with weights of their own that no component wraps, and why.

    The bridge is run, and not changed.
    """
    model = made.original_model
    found = list(_unwrapped(model))
    wrapped = {
        id(parameter)
        for module in made.modules()
        if isinstance(module, GeneralizedComponent) and module.original_component is not None
        for parameter in module.original_component.parameters(recurse=False)
    }
    called: set[str] = set()
    handles = [
        module.register_forward_pre_hook(lambda *_, path=path: called.add(path))
        for path, module, _ in found
    ]
    try:
        forward(model, tokens(model), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    reasons = {}
    for path, module, in_list in found:
        if all(id(parameter) in wrapped for parameter in module.parameters(recurse=False)):
            reasons[path] = "a component has the same weights"
        elif in_list:
            reasons[path] = "one of a list that is as long as the config says"
        elif path not in called:
            reasons[path] = "Hugging Face does not call the module"
        else:
            reasons[path] = ""
    return reasons


def _unwrapped(
    module: Any, path: str = "", in_list: bool = False
) -> Iterator[tuple[str, Any, bool]]:
    """Modules with weights that no component wraps, and whether each is one of a list."""
    is_component = isinstance(module, GeneralizedComponent)
    if not is_component and any(True for _ in module.parameters(recurse=False)):
        yield path, module, in_list
    held = module.original_component if is_component else module
    for name, child in held.named_children() if held is not None else ():
        # Blocks stand in a list too, and are components.
        listed = isinstance(held, torch.nn.ModuleList) and not isinstance(
            child, GeneralizedComponent
        )
        yield from _unwrapped(child, f"{path}.{name}" if path else name, in_list or listed)


def _states(plan: Plan, measured: Mapping[str, str]) -> dict[str, str]:
    """The exceptions that were measured; what fires on request is so by the plan."""
    tables = (plan.model_hooks, *(table for _, table in layer_tables(plan)))
    asked = {row.name for table in tables for row in table if row.state == "on_request"}
    return {
        name: "on_request" if LAYER.sub("", name) in asked else state
        for name, state in measured.items()
    }
