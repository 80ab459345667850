"""A draft: the spec of a model class that is observed, as data and as text."""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import transformers

from adaptergen.contract.models import perturb, wrap
from adaptergen.draft.axes import Axes, changed_runs, other_tokens
from adaptergen.draft.components import (
    Data,
    Drafter,
    Made,
    free_key,
    is_path,
    use,
    written,
)
from adaptergen.draft.contracts import LAYER, REASONS, Contracts, measure_contracts
from adaptergen.draft.kinds import Kinds, agree
from adaptergen.draft.layer import OF_ALL_LAYERS, Layer
from adaptergen.draft.observation import Called, Observation, observe
from adaptergen.draft.roles import has_weights, role_of, same
from adaptergen.draft.stacks import further_lists, list_of
from adaptergen.draft.text import as_yaml
from adaptergen.generate import plan as plan_of
from adaptergen.inspection.fault_isolation import failed
from adaptergen.inspection.layout import list_of_layers
from adaptergen.inspection.runs import POS, tokens
from adaptergen.inspection.tiny_model import make, tiny_model, vocabulary, with_words
from adaptergen.plan.model import Plan
from adaptergen.problems import quote
from adaptergen.render.adapter import render_adapter
from adaptergen.verify.target import make_target

_TODO = "todo"
_UNKNOWN = {
    "authors": "the owners of the checkpoints on the Hub",
    "checkpoints": "ids of models on the Hub",
}
_SCHEMA = "# yaml-language-server: $schema={}adaptergen/data/{}.schema.json\n"


#: What TransformerLens fires on the stream before a norm of this name, when asked.
MLP_IN = {
    "shape": ["batch", "pos", "d_model"],
    "tensor": "residual stream before the norm of the MLP",
    "contract": {
        "is": "on_request",
        "switch": "set_use_hook_mlp_in",
        "reason": "TransformerLens fires it when asked",
    },
}


@dataclass(frozen=True)
class Draft:
    """A spec that was drafted, as data, with the shapes that it alone uses."""

    data: Data
    shapes: Mapping[str, Made]

    @property
    def module(self) -> str:
        """The name of the module, which is that of the spec's file."""
        return str(self.data["module"])

    @property
    def spec_text(self) -> str:
        """The spec as a file has it, with what no machine knows marked."""
        text = f"{_SCHEMA.format('../', 'spec')}{as_yaml(self.data)}"
        for key, what in _UNKNOWN.items():
            text = re.sub(rf"^({key}: .*)$", rf"\1  # TODO: {what}", text, count=1, flags=re.M)
        return text

    def files(self) -> dict[str, str]:
        """The spec and the shapes that it alone uses, by their paths beside the spec."""
        return {
            f"{self.module}.yaml": self.spec_text,
            **{
                f"shapes/{name}.yaml": f"{_SCHEMA.format('../../', 'shape')}{as_yaml(shape)}"
                for name, shape in self.shapes.items()
            },
        }

    @cached_property
    def plan(self) -> Plan:
        """The plan of the spec. Raises `Failed`."""
        with tempfile.TemporaryDirectory(prefix="adaptergen-draft-") as folder:
            specs = Path(folder) / "specs"
            (specs / "shapes").mkdir(parents=True)
            for name, text in self.files().items():
                (specs / name).write_text(text, "utf-8")
            return plan_of(specs / f"{self.module}.yaml")

    def state_contracts(self, found: Contracts) -> None:
        """Write what was measured of hooks into the data: exceptions, and axes of cached tokens."""
        states = {LAYER.sub(r"\1.", name): state for name, state in found.states.items()}
        cached = {LAYER.sub(r"\1.", name) for name in found.cached}
        choosing = {LAYER.sub(r"\1.", name) for name in found.choosing}
        for name, node in self._components():
            for hook, described in node.described.items():
                full, written = f"{name}.{hook}", dict(described)
                if full in cached:
                    axes = axes_of(described)
                    if "kv_pos" not in axes:
                        written["shape"] = ["kv_pos" if axis == "pos" else axis for axis in axes]
                state = states.get(full)
                # Only what depends on the tokens could have a gradient.
                if not state and full in choosing and any("batch" in a for a in axes_of(described)):
                    state = "no_gradient"
                if state and "contract" not in described:
                    written["contract"] = {"is": state, "reason": REASONS[state]}
                if written != described:
                    node.setdefault("hooks", {})[hook] = written

    def _components(self) -> Iterable[tuple[str, Made]]:
        """Every component of the data, by the full name without the number of the layer."""
        blocks = self.data["blocks"]
        yield from _walk(self.data["components"], "")
        yield from _walk(blocks["submodules"], "blocks.")
        for kind in blocks.get("kinds", {}).values():
            own = self.shapes.get(kind["shape"], kind)
            yield from _walk({kind["slot"]: own}, "blocks.")


def axes_of(described: Data) -> list[str]:
    """The axes of a hook as a spec describes it."""
    return [str(axis) for axis in described.get("shape", [])]


def _walk(components: Mapping[str, Made], prefix: str) -> Iterable[tuple[str, Made]]:
    for key, one in components.items():
        yield prefix + key, one
        yield from _walk(one.get("add") or one.get("submodules") or {}, f"{prefix}{key}.")


def draft_of(model: Any, tiny: Mapping[str, Any] | None = None) -> Draft:
    """The draft of a model, which is run on a few tokens and not changed.

    `tiny` are the settings of its config that tests make a model with.
    """
    seen = observe(model, tokens(model))
    return _Writer(model, seen, dict(tiny or {})).draft()


def small_model(model_class: Any, config: Mapping[str, Any]) -> tuple[Any, Data]:
    """A small model with eager attention, and the settings of its config.

    `config` are fields to start from; without any, there is a layer of each kind that the class
    knows. No weight has a value that hides a fault. Raises `Failed`.
    """
    tiny = tiny_model(model_class, config)
    words = None if config else vocabulary(tiny)
    if words:
        tiny = with_words(tiny, words.field, words.words)
    model = make(model_class, {**tiny.settings, "attn_implementation": "eager"})
    perturb(model)
    return model, tiny.settings


def measured_draft(model: Any, tiny: Mapping[str, Any] | None = None) -> Draft:
    """The draft of a model, with the contract of each hook as it was measured on a copy."""
    draft = draft_of(model, tiny)
    bridge = bind(copy.deepcopy(model), draft.plan)
    draft.state_contracts(measure_contracts(bridge))
    vars(draft).pop("plan")
    return draft


def bind(model: Any, plan: Plan) -> Any:
    """The bridge around a model, which is changed in place, with the adapter of a plan."""
    target = make_target(plan, render_adapter(plan))
    return wrap(target.architecture, target.adapter, model)


class _Writer:
    def __init__(self, model: Any, seen: Observation, tiny: Data) -> None:
        self.model, self.seen, self.tiny = model, seen, tiny
        self.layers_path = _list_of_layers(seen)
        self.lists = further_lists(seen, self.layers_path)
        # Without settings there is no file for people, who want names that hold at any size.
        changed = [*changed_runs(model, tiny)] if tiny else []
        self.drafter = Drafter(seen, Axes(seen, changed, other_tokens(model)))
        self.shapes: dict[str, Made] = {}
        self.layer_kinds: list[list[str]] = []
        name = type(model).__name__
        self.family = re.sub(
            r"(ForCausalLM|ForMaskedLM|(With)?LMHeadModel|LMHead|ForConditionalGeneration)$",
            "",
            name,
        )
        words = re.findall(r"[A-Z]+(?=[A-Z][a-z]|\d|$)|[A-Z]?[a-z]+|[A-Z]+|\d+", self.family)
        self.words = words or [name]
        kind = re.sub(r"[^a-z0-9]+", "_", str(model.config.model_type).lower()).strip("_")
        self.module = kind or "_".join(self.words).lower()

    def draft(self) -> Draft:
        name = type(self.model).__name__
        blocks = self._blocks()
        components = dict(self._components())
        flags = self._flags(components, blocks)
        data: Data = {
            "spec": 1,
            "architecture": name,
            "module": self.module,
            "name": "".join(re.findall("[A-Za-z0-9]+", self.family[:1].upper() + self.family[1:])),
            "title": " ".join(self.words),
            "description": f"Drafted from {name} of transformers {transformers.__version__}.",
            "authors": [_TODO],
            "checkpoints": [f"{_TODO}/{_TODO}"],
            "verified_with": {
                "transformer_lens": [version("transformer-lens")],
                "transformers": [transformers.__version__],
            },
            "config": {"flags": flags, "adapter": self._adapter()},
            "components": components,
            "blocks": blocks,
            "tiny": {"config": {"vocab_size": 120, **self.tiny}},
        }
        if self.layer_kinds:
            data["tiny"]["kinds"] = [one[0] if len(one) == 1 else one for one in self.layer_kinds]
        return Draft(data, self.shapes)

    def _adapter(self) -> Data:
        """What TransformerLens has to know before it calls the model."""
        # Both need weights by head and by part under the names of TransformerLens.
        found = {"supports_fold_ln": False, "supports_center_writing_weights": False}
        return found if self.model.can_generate() else {**found, "supports_generation": False}

    def _flags(self, components: Data, blocks: Data) -> Data:
        """What TransformerLens' config has to say of the model."""
        flags: Data = {}
        if components.get("ln_final", {}).get("shape") == "rms_norm":
            flags |= {"normalization_type": "RMS", "uses_rms_norm": True, "final_rms": True}
        if self._looks_ahead():
            flags["attention_dir"] = "bidirectional"
        if "pos_embed" not in components:
            rotated = "rotary_emb" in components
            flags["positional_embedding_type"] = "rotary" if rotated else "none"
        used = [one for key, one in blocks["submodules"].items() if key == "mlp"]
        used += [kind for kind in blocks.get("kinds", {}).values() if kind["slot"] == "mlp"]
        if any(one.get("shape") in ("gated_mlp", "dense_mlp") for one in used):
            flags["gated_mlp"] = True
        return flags

    def _looks_ahead(self) -> bool:
        """Whether tokens attend to later ones of their own text in a layer."""
        if self.model.config.is_encoder_decoder:
            return False
        patterns = [
            one.pattern
            for path, one in self.seen.attention.items()
            if path.startswith(f"{self.layers_path}.") and one.pattern.shape[-2:] == (POS, POS)
        ]
        return any(bool(pattern.triu(1).any()) for pattern in patterns)

    def _components(self) -> Iterable[tuple[str, Made]]:
        """What is outside the layers."""
        embed, head = self.model.get_input_embeddings(), self.model.get_output_embeddings()
        taken = {"blocks"}
        for path in self.lists:
            encodes = self.model.config.is_encoder_decoder and "encoder_blocks" not in taken
            key = "encoder_blocks" if encodes else free_key(f"{path}.blocks", taken)
            taken.add(key)
            called = (f"{path}.{i}" for i in range(len(self.model.get_submodule(path))))
            layers = [Layer(self.drafter, one) for one in called if one in self.seen.calls]
            yield key, list_of(self.drafter, path, layers)
        for call in self._outside(""):
            # A list outside the layers is as long as the config says.
            if re.search(r"\.[0-9]+(\.|$)", call.path):
                continue
            if call.module is embed:
                key = "embed"
                component = self._end(
                    call, "embedding", ["batch", "pos"], ["batch", "pos", "d_model"]
                )
            elif call.module is head:
                key = "unembed"
                wide = ["batch", "pos", "d_vocab"]
                component = self._end(call, "unembedding", ["batch", "pos", "d_model"], wide)
            else:
                component = self.drafter.component(call, call.path)
                key = self._outer_key(call, taken)
            taken.add(key)
            yield key, component

    def _end(self, call: Called, shape: str, took: list[str], gave: list[str]) -> Made:
        """The embedding or unembedding, by its shape where the tensors are as there."""
        hooks = self.drafter.ends(call, shape)
        if not call.gave_one:
            # Components of TransformerLens for embeddings return a tensor by itself.
            return written("HFModuleBridge", call.path, hooks)
        if (hooks["hook_in"].get("shape"), hooks["hook_out"]["shape"]) == (took, gave):
            return use(shape, call.path, hooks, {}, {})
        return written(f"{shape.capitalize()}Bridge", call.path, hooks)

    def _outer_key(self, call: Called, taken: set[str]) -> str:
        role = role_of(self.seen, call)
        last = self.seen.calls.get(f"{self.layers_path}.{len(self._layers()) - 1}")
        # TransformerLens applies it to the stream.
        if role == "norm" and "ln_final" not in taken and last and same(last.gave, call.took):
            return "ln_final"
        stream = self.seen.calls[f"{self.layers_path}.0"].took
        if role == "embedding" and stream is not None and "pos_embed" not in taken:
            gave, wide = call.gave, stream.shape[-1]
            positions = call.took is not None and bool((call.took.diff(dim=-1) == 1).all())
            if positions and gave is not None and gave.shape[-1] == wide:
                return "pos_embed"
        if role == "rotation" and "rotary_emb" not in taken:
            return "rotary_emb"
        return free_key(call.path, taken)

    def _outside(self, path: str) -> Iterable[Called]:
        """Modules outside the layers that get a component, from the outermost."""
        inner = (self.model.get_input_embeddings(), self.model.get_output_embeddings())
        for call in self.seen.nearest(path):
            held = list(call.module.modules())
            lists = (self.layers_path, *self.lists)
            blocks = any(f"{one}.".startswith(f"{call.path}.") for one in lists)
            if blocks or any(one in held and one is not call.module for one in inner):
                yield from self._outside(call.path)
            elif any(call.path.startswith(f"{one}.") for one in lists):
                continue
            elif self.drafter.is_bound(call):
                yield call

    def _layers(self) -> list[Any]:
        return list(self.model.get_submodule(self.layers_path))

    def _blocks(self) -> Data:
        tables: list[dict[str, Made]] = []
        aliases: list[dict[str, str]] = []
        # A layer that is not called, such as one of cross-attention without images, shows nothing.
        paths = [f"{self.layers_path}.{i}" for i in range(len(self._layers()))]
        layers = [Layer(self.drafter, path) if path in self.seen.calls else None for path in paths]
        mlps = [
            {type(call.module) for call, role in layer.parts if role == "feed_forward"}
            for layer in layers
            if layer
        ]
        self.drafter.has_one_mlp = all(one == mlps[0] for one in mlps)
        called = [layer for layer in layers if layer]
        agreed = agree(layer.short_keys() for layer in called)
        for one in called:
            one.rename(agreed)
        for key in OF_ALL_LAYERS:
            if not all(one.promises(key) for one in called):
                for one in called:
                    one.take_back(key)
        for layer in layers:
            if layer is None:
                tables.append({})
                continue
            tables.append(layer.submodules())
            aliases.append(layer.aliases())
        held = [
            {name for name, m in block.named_modules() if is_path(name) and has_weights(m)}
            for block in self._layers()
        ]
        found = Kinds(tables, held, self.module)
        found.find()
        self.shapes, self.layer_kinds = found.shapes, found.of_layers if found.kinds else []
        blocks: Data = {"shape": "layer", "path": self.layers_path, "submodules": found.shared}
        if {"ln2", "ln2_post"} & found.shared.keys():
            # Some models join rows and tokens in one axis before the norm.
            taken = found.shared["ln2"].described["hook_in"] if "ln2" in found.shared else MLP_IN
            blocks["hooks"] = {"hook_mlp_in": {**MLP_IN, "shape": taken["shape"]}}
        same = {a: to for a, to in aliases[0].items() if all(o.get(a) == to for o in aliases)}
        if same:
            blocks["aliases"] = same
        if found.kinds:
            blocks["kinds"] = found.kinds
        return blocks


def _list_of_layers(seen: Observation) -> str:
    """The list of layers among those with a layer that was called. Raises `Failed`."""

    def is_called(path: str, layers: Any) -> bool:
        calls = (seen.calls.get(f"{path}.{name}") for name, _ in layers.named_children())
        return any(call is not None and call.gave is not None for call in calls)

    path = list_of_layers(seen.model, is_called)
    if not path:
        name = quote(type(seen.model).__name__)
        raise failed("hf-forward", f"no list of layers is called in {name}", "report the class")
    return path
