"""Specs and shapes with random edits, from a grammar of what people and attackers write."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from adaptergen.problems import Problem, SourceLocation
from adaptergen.source.read import read_source
from adaptergen.source.source import Node, Source, Span

SPECS = Path(__file__).parents[2] / "specs"
SHAPES = SPECS / "shapes"

#: In every payload, and in no identifier that any of them makes: found as a name in generated
#: Python, it shows that text of a spec became code.
MARK = "PWNED"

PAYLOADS = (
    f"__import__('os').system('{MARK}')", f"{MARK}()", f"'); {MARK}('", f"\"); {MARK}(\"",
    f"x = {MARK}", f"x; {MARK} = 1", f"'''\n{MARK}()\n'''", f'"""\n{MARK}()\n"""', f"\n{MARK}()",
    f"x\n\n{MARK} = 1", f"# {MARK}", f"{{{{ {MARK}() }}}}", f"{{% if {MARK} %}}", f"{{{MARK}()}}",
    f"%({MARK})s", f"a or {MARK}()", f"lambda: {MARK}", f"{MARK} if {MARK} else 1", f"{MARK}[0]",
    f"{MARK}.x", f"a.{MARK}.b", f"a, {MARK}", f"{MARK}, a", f"*{MARK}()", f"**{MARK}()",
    f"a // {MARK}()", f"a ** {MARK}()", f"({MARK}())", f"[{MARK}() for x in y]", f"not {MARK}()",
    f"\\\n{MARK}()", f"\\N{{BULLET}}{MARK}()", f"\\x27+{MARK}()+\\x27", f"'+{MARK}()+'",
    f"` {MARK} `", f"| {MARK} | {MARK} |", f"|\n| {MARK} |", f"--> {MARK} <!--", f"</{MARK}>",
    f"# {MARK}\n", f"## {MARK}", f"- {MARK}()", f"../{MARK}", f"/etc/{MARK}", f"..\\{MARK}",
    f"{MARK}\x00", f"{MARK}\u202e()", f"{MARK}\u200b", f"\u2028{MARK}()", f"{MARK}\x1b[31m",
    f"{MARK}\ud800", f"{MARK}\x0c()", f"{MARK}\r()", f"\uff50{MARK}()", f"1; {MARK}()",
)  # fmt: skip

#: Names that are fine as such, and may meet others in the generated code or on its objects.
NAMES = (
    "tapped", "LayerKind", "without_hooks", "with_pos_dim", "Tap", "DeclarativeAdapter", "taps",
    "former_kinds", "from_hf", "dimensions", "StateSpaceMixerBridge", "copy", "types", "inspect",
    "torch", "functools", "self", "cls", "cfg", "hf", "name", "names", "kind", "kinds", "config",
    "forward", "hook_in", "hook_out", "to_dict", "d_model", "n_heads", "batch", "pos", "default",
    "window", "in", "out", "is", "None", "True", "type", "_", "_x", "__x", "__class__", "x",
    "super", "print", "run", "namespace", "mixer", "attn", "mlp", "blocks", "norm", "moe",
    "linear_attention", "mamba", "layers_block_type", "num_hidden_layers", "vocab_size",
    "attn_implementation", "moe_latent_size", "n_groups", "DynamicCache", "TransformerBridge",
    "SpecifierSet", "Any", "ArchitectureAdapter", "MLPBridge", "LinearBridge", "BlockBridge",
    "SSMBlockBridge", "GeneralizedComponent", "MoEBridge", "ssm_block", "embedding", "rms_norm",
    "ungated_mlp", "gated_mlp", "mamba2_mixer", "token_linear", "nemotron_h", "NemotronH",
    "read_only", "no_gradient", "absent", "silent", "on_request", "silent_in_decode", "eager_scan",
    "mamba_num_heads // (n_groups - 14)", "mamba_num_heads * mamba_num_heads", "a" * 80,
    "hook_mixer_in", "model.layers", "a.b", "n_groups or d_model", ">=5.13", "<5.17,>=5", ">=1 ",
    ">=5.13\n", "==5", "a/b", "4.3.0", "text of some kind", "|", "a | b", "",
)  # fmt: skip

_LIKELY_TEXTS = (
    "model.layers", "mixer.in_proj", "hook_mixer_out", "mixer.hook_out", "gate.hook_out",
    "n_groups // 2", "mamba_num_heads * 2 + 1", "n_groups or d_model", ">=5.13", "<5.17",
    "a text", "with | a bar", "it's", "causal_conv1d_fn", "hook_expert_weights", "eager_scan",
    "CausalLM", "Mamba2", "x/y", "set_use_attn_result",
)  # fmt: skip

ODD = (
    None, True, False, 0, 1, -1, 2, 64, 10**6, 2**53 + 1, 2**63 - 1, 1.5, -0.0, 1e308,
    float("nan"), float("inf"), [], {}, [[]], [None], {"": None}, {"x": {"x": {}}},
)  # fmt: skip

KEYS = (
    "shape", "path", "component", "config", "hooks", "submodules", "add", "with", "when",
    "unless", "slot", "formerly", "has_submodule", "options", "aliases", "taps", "contract", "is",
    "reason", "switch", "transformers", "tensor", "parameter", "parameters", "kind", "kinds",
    "attribute", "listed_in", "flags", "derived", "from_hf", "adapter", "tiny", "branches",
    "heads", "title", "spec", "cache", "replaces", "function", "torch", "weight", "argument",
    "part", "call", "tokens", "activation", "flatten", "heads_first", "fused_in_training",
    "silent_in_compatibility_mode",
)  # fmt: skip

#: Taps by the shape that gets them.
TAPS: dict[str, dict[str, dict[str, Any]]] = {
    "mamba2_mixer": {
        "conv1d.hook_in": {"function": ["causal_conv1d_fn", "conv1d"], "argument": 0, "tokens": 2},
        "conv1d.hook_out": {"function": ["causal_conv1d_fn"], "part": 0, "activation": "act"},
    },
    "moe": {"gate.hook_out": {"weight": "gate.weight", "call": 0, "flatten": 0}},
    "grouped_query_attention": {"hook_pattern": {"torch": "softmax", "heads_first": True}},
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A spec and a shape, one or both of them edited; plain data."""

    spec: dict[str, Any]
    shape_name: str
    shape: dict[str, Any] | None


@cache
def originals() -> dict[str, Any]:
    """The data of the spec (called "") and of each shape it can use."""
    data = {"": read_source(SPECS / "nemotron_h.yaml", "spec").data}
    data |= {p.stem: read_source(p, p.name).data for p in sorted(SHAPES.glob("*.yaml"))}
    # Behaviours have taps, so that few shapes need any; here each word of a tap is in one.
    for name, taps in TAPS.items():
        data[name] |= {"taps": copy.deepcopy(taps), "fused_in_training": True}
    return data


@cache
def used_shapes() -> tuple[str, ...]:
    """The shapes that the spec uses, itself or by way of others."""
    found: list[str] = []
    waiting = list(_shapes_in(originals()[""]))
    for name in waiting:
        if name not in found:
            found.append(name)
            waiting += _shapes_in(originals()[name])
    return tuple(found)


def _shapes_in(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        if isinstance(data.get("shape"), str):
            yield data["shape"]
        for value in data.values():
            yield from _shapes_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from _shapes_in(value)


TEXTS = st.one_of(
    st.sampled_from(PAYLOADS),
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(PAYLOADS)).map("".join),
)
# Copies: a later edit of a case may go into what an earlier one put there.
VALUES = st.one_of(TEXTS, st.sampled_from(ODD).map(copy.deepcopy))


#: Half of the cases are likely ones: what an author might write, which gets further than the rest.
LIKELY = st.sampled_from([name for name in NAMES if name.isidentifier()] + list(_LIKELY_TEXTS))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """The original with one to four edits."""
    everything = originals()
    spec = copy.deepcopy(everything[""])
    name = draw(st.sampled_from(used_shapes()))
    shape = copy.deepcopy(everything[name])
    in_shape = False
    edit = draw(st.sampled_from([_edit, _likely_edit]))
    for _ in range(draw(st.integers(1, 4))):
        target = draw(st.sampled_from([spec, spec, shape]))
        in_shape = in_shape or target is shape
        edit(draw, target)
    return Case(spec, name, shape if in_shape else None)


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every entry of every collection: the collection, and the key or index in it."""
    found: list[tuple[Any, Any]] = []
    waiting = [data]
    for holder in waiting:
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                waiting.append(holder[key])
    return found


def _edit(draw: st.DrawFn, data: dict[str, Any]) -> None:
    found = places(data)
    if not found:
        return
    holder, key = draw(st.sampled_from(found))
    value = holder[key]
    # Mostly text for text: what is of another type is refused at once.
    how = draw(st.sampled_from(("text", "text", "text", "odd", "key", "drop", "copy", "add", "in")))
    if how in ("text", "odd") or (how == "in" and not isinstance(value, str)):
        if how == "text" and isinstance(value, (dict, list)):
            inner = [place for place in places(value) if isinstance(place[0][place[1]], str)]
            if inner:
                holder, key = draw(st.sampled_from(inner))
        holder[key] = draw(TEXTS if how == "text" else VALUES)
    elif how == "in":
        at = draw(st.integers(0, len(value)))
        holder[key] = value[:at] + draw(TEXTS) + value[at:]
    elif how == "drop":
        del holder[key]
    elif how == "key" and isinstance(holder, dict):
        _rename(holder, key, draw(st.one_of(TEXTS, st.sampled_from(KEYS))))
    elif how == "add" and isinstance(holder, dict):
        holder[draw(st.one_of(TEXTS, st.sampled_from(KEYS)))] = draw(VALUES)
    elif how == "add":
        holder.insert(key, draw(VALUES))
    else:  # copy: what fits one place stands in another
        other, at = draw(st.sampled_from(found))
        holder[key] = copy.deepcopy(other[at]) if _holds(other, at) else None


def _likely_edit(draw: st.DrawFn, data: dict[str, Any]) -> None:
    """A value in the place of another one like it, or one that is left out or added."""
    found = [place for place in places(data) if place[1] not in ("spec", "verified_with", "module")]
    if not found:
        return
    holder, key = draw(st.sampled_from(found))
    value = holder[key]
    how = draw(st.sampled_from(("alike", "alike", "name", "name", "key", "drop", "add", "number")))
    if how == "alike":
        alike = [o[k] for o, k in places(originals()[""]) + found if k == key or isinstance(k, int)]
        alike += [o[k] for name in used_shapes() for o, k in places(originals()[name]) if k == key]
        same = [other for other in alike if type(other) is type(value) and other != value]
        if same:
            holder[key] = copy.deepcopy(draw(st.sampled_from(same)))
    elif how == "name" and isinstance(value, str):
        holder[key] = draw(LIKELY)
    elif how == "key" and isinstance(holder, dict) and key not in KEYS:
        _rename(holder, key, draw(LIKELY))
    elif how == "drop" and isinstance(value, (bool, int, list, dict)):
        del holder[key]
    elif how == "add" and isinstance(value, dict):
        word = draw(st.sampled_from(("when", "unless", "config", "formerly", "cache", "options")))
        value[word] = draw(
            st.one_of(
                LIKELY, st.just(True), st.builds(list, st.just("x")), st.builds(dict, x=st.just(1))
            )
        )
    elif how == "add" and isinstance(value, list):
        value.append(draw(st.sampled_from([*value, "x"])))
    elif how == "number" and isinstance(value, (int, bool)):
        holder[key] = draw(st.sampled_from((0, 1, 3, True, False, 7)))


def _holds(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def _rename(holder: dict[str, Any], old: str, new: str) -> None:
    items = [(new if key == old else key, value) for key, value in holder.items()]
    holder.clear()
    holder.update(items)


class FlatSource(Source):
    """Data as if it had been read from a file; everything stands in its first line."""

    def place(self, loc: Any = (), key: bool = False) -> SourceLocation:
        return SourceLocation(self.path)

    def problem(
        self, code: str, message: str, hint: str = "", loc: Any = (), key: bool = False
    ) -> Problem:
        return Problem(code, message, hint, SourceLocation(self.path))


def source(path: str, data: Any) -> Source:
    """A source with this data, without the time that parsing takes."""
    return FlatSource(path, ("",), Node(data, Span(1, 1, 0)))


def as_yaml(data: Any) -> str:
    """Data as a file; JSON is YAML."""
    return json.dumps(data, indent=1, ensure_ascii=True)
