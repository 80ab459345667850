"""What a draft says of modules: uses of shapes, and components written out where no shape fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from adaptergen.draft.axes import Axes
from adaptergen.draft.observation import EAGER, Attention, Called, Observation
from adaptergen.draft.roles import has_weights, is_close, role_of
from adaptergen.plan.names import AS_WEIGHTS

Data = dict[str, Any]

_KEY = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)
_PLACE = re.compile(r"[0-9]+")
_STREAM = ["batch", "pos"]
#: The arguments that the shape of attention has by default.
_ATTENTION = {"in": "d_model", "out": "d_model", "heads": "n_heads", "kv_heads": "n_heads",
              "width": "d_head", "value_width": "d_head"}  # fmt: skip


class Made(Data):
    """What a spec says of a component; `described` are all its hooks, also those of its shape."""

    def __init__(self, described: Data, **said: Any) -> None:
        super().__init__(said)
        self.described = described


@dataclass
class Drafter:
    """Makes components of the modules of one observed model."""

    seen: Observation
    axes: Axes
    has_one_mlp: bool = True
    """Whether all layers have the same MLP: TransformerLens computes it itself on request."""

    def component(self, call: Called, path: str, nested: bool = False) -> Made:
        """A module as a component with all that is called in it; `path` is that from around it.

        It is `nested` in another component, or else a layer's own or outside the layers.
        """
        role = role_of(self.seen, call)
        if role == "linear":
            return self._linear(call, path)
        if role == "rotation":
            return self._rotation(call, path)
        made = self._norm(call, path) if role == "norm" else None
        if made:
            return made
        made = self._mlp(call, path, nested) if role == "feed_forward" else None
        if made:
            return made
        own = self.seen.attention.get(call.path)
        made = self._attention(call, path, own) if own else self._module(call, path)
        submodules = dict(self._submodules(call.path))
        if submodules:
            made["add" if "shape" in made else "submodules"] = submodules
        return made

    def _submodules(self, path: str) -> Iterator[tuple[str, Made]]:
        taken: set[str] = set()
        for child in self.seen.nearest(path):
            inner = child.path[len(path) + 1 :] if path else child.path
            if self.is_bound(child) and is_path(inner):
                key = free_key(inner, taken, role_of(self.seen, child))
                # Where MLPs are gated, the name stands for what gates the neurons.
                yield "router" if key == "gate" else key, self.component(child, inner, nested=True)

    def is_bound(self, call: Called) -> bool:
        """Whether a component of its own says something about a module."""
        if call.gave is None:
            return False
        role = role_of(self.seen, call)
        return has_weights(call.module) or role in ("norm", "attention", "rotation")

    def ends(self, call: Called, what: str) -> Data:
        """The hooks on what goes into a module and on what comes out."""
        hook_in: Data = (
            {"shape": self.axes(call.took), "tensor": f"input of the {what}"}
            if call.took is not None
            else {"contract": {"is": "absent", "reason": "the module takes no tensor"}}
        )
        assert call.gave is not None
        hook_out: Data = {"shape": self.axes(call.gave), "tensor": f"output of the {what}"}
        if call.overwrites_input:
            hook_in["overwritten"] = True
        if call.is_overwritten:
            hook_out["overwritten"] = True
        return {"hook_in": hook_in, "hook_out": hook_out}

    def _rotation(self, call: Called, path: str) -> Made:
        """Cosines and sines of the angles, or the rotation of each pair as a complex number."""
        hooks: Data = {"hook_in": self.ends(call, "rotation")["hook_in"]}
        if call.named:
            # The component looks for a tensor among what is taken by place.
            reason = "the module takes no tensor by place"
            hooks["hook_in"] = {"contract": {"is": "absent", "reason": reason}}
        axes = self.axes(call.tensors[0])
        if len(call.tensors) == 1:
            what = "rotation of each pair, as a complex number"
            hooks["hook_freqs_cis"] = {"shape": axes, "tensor": what}
            return written("ComplexRotaryEmbeddingBridge", path, hooks)
        for name, what in (("hook_cos", "cosines"), ("hook_sin", "sines")):
            hooks[name] = {"shape": axes, "tensor": f"{what} of the angles"}
        if hooks["hook_in"].get("shape") == [*_STREAM, "d_model"] and axes[:-1] == [1, "pos"]:
            # The shape says that an edit of its input is lost.
            hooks["hook_in"]["contract"] = {"is": "read_only"}
            return use("rotary_embedding", path, hooks, {"width": axes[-1]}, {"width": "d_head"})
        hooks["hook_out"] = {
            "contract": {"is": "absent", "reason": "hook_cos and hook_sin hold the output"}
        }
        return written("RotaryEmbeddingBridge", path, hooks)

    def _linear(self, call: Called, path: str) -> Made:
        hooks = self.ends(call, "projection")
        if isinstance(call.module, Conv1D):
            return written("Conv1DBridge", path, hooks)
        before, after = (hooks[name].get("shape", []) for name in ("hook_in", "hook_out"))
        for shape, leading, least in (
            ("linear", _STREAM, {"in": "d_model", "out": "d_model"}),
            ("token_linear", ["batch * pos"], {"in": None, "out": None}),
        ):
            if before[:-1] == leading == after[:-1]:
                given = {"in": before[-1], "out": after[-1]}
                return use(shape, path, hooks, given, least)
        return written("LinearBridge", path, hooks)

    def _mlp(self, call: Called, path: str, nested: bool) -> Made | None:
        """A gated or ungated MLP of linear maps; None where it is anything else."""
        is_alike = nested or self.has_one_mlp
        parts = [one for one in self.seen.nearest(call.path) if has_weights(one.module)]
        took, axes = call.took, self.axes
        if took is None or call.named or axes(took)[:-1] != _STREAM or call.gave is None:
            return None
        if not all(type(one.module) is torch.nn.Linear for one in parts):
            return None
        names = [one.path[len(call.path) + 1 :] for one in parts]
        first = [one for one in parts if one.took is not None and torch.equal(one.took, took)]
        if not all(map(is_path, names)):
            return None
        if (
            is_alike
            and len(parts) == 2
            and first == parts[:1]
            and is_close(parts[1].gave, call.gave)
        ):
            given = {"up": names[0], "down": names[1], "width": axes(parts[0].gave)[-1]}
            # Gates and neurons in one matrix are twice as many.
            if axes(parts[1].took)[-1] != given["width"]:
                return None
            defaults = {"up": "up_proj", "down": "down_proj", "width": "d_mlp"}
            return use("ungated_mlp", path, self.ends(call, "MLP"), given, defaults)
        if len(parts) != 3 or first != parts[:2] or not is_close(parts[2].gave, call.gave):
            return None
        for gate, up in ((0, 1), (1, 0)):
            before, other, product = parts[gate].gave, parts[up].gave, parts[2].took
            if before is None or other is None or product is None:
                continue
            activated = [
                one.gave
                for one in self.seen.below(call.path)
                if one.gave is not None and one.took is not None and torch.equal(one.took, before)
            ]
            if any(is_close(one * other, product) for one in activated):
                given = {"gate": names[gate], "up": names[up], "down": names[2],
                         "width": axes(parts[0].gave)[-1]}  # fmt: skip
                defaults = {"gate": "gate_proj", "up": "up_proj", "down": "down_proj",
                            "width": "d_mlp"}  # fmt: skip
                shape = "gated_mlp" if is_alike else "dense_mlp"
                return use(shape, path, self.ends(call, "MLP"), given, defaults)
        return None

    def _module(self, call: Called, path: str) -> Made:
        hooks = self.ends(call, "module")
        before, after = (hooks[name].get("shape", []) for name in ("hook_in", "hook_out"))
        if before[:-1] == _STREAM == after[:-1]:
            given = {"in": before[-1], "out": after[-1]}
            return use("module", path, hooks, given, {"in": "d_model", "out": "d_model"})
        return written("HFModuleBridge", path, hooks)

    def _norm(self, call: Called, path: str) -> Made | None:
        """A norm whose scale TransformerLens computes so; None where that is another norm."""
        took, gave, module = call.took, call.gave, call.module
        assert took is not None and gave is not None
        eps = getattr(module, "eps", getattr(module, "variance_epsilon", None))
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if not isinstance(eps, float) or getattr(weight, "shape", None) != took.shape[-1:]:
            return None
        for centred in (False, True):
            x = took - took.mean(-1, keepdim=True) if centred else took
            plain = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight
            if centred and bias is not None:
                plain = plain + bias
            if is_close(plain, gave):
                return self._scaled(call, path, centred)
        return None

    def _scaled(self, call: Called, path: str, centred: bool) -> Made:
        hooks = self.ends(call, "norm")
        axes = hooks["hook_in"]["shape"]
        what = "standard deviation" if centred else "root mean square"
        hooks |= {
            "hook_scale": {"shape": [*axes[:-1], 1], "tensor": f"{what} that divides the input"},
            "hook_normalized": {"shape": axes, "tensor": "input divided by the scale"},
        }
        if axes[:-1] == _STREAM:
            shape = "layer_norm" if centred else "rms_norm"
            return use(shape, path, hooks, {"width": axes[-1]}, {"width": "d_model"})
        if not centred:
            return written("RMSNormalizationBridge", path, hooks, config=True)
        options = {"use_native_layernorm_autograd": True, "uses_rms_norm": False}
        return written("NormalizationBridge", path, hooks, config=True, options=options)

    def _attention(self, call: Called, path: str, found: Attention) -> Made:
        hooks = self.ends(call, "attention")
        # A sink is one more place that tokens attend to.
        sinks = found.scores.shape[-1] - self.axes.pos
        keyed = [*self.axes(found.scores)[:-1], f"kv_pos + {sinks}" if sinks == 1 else "kv_pos"]
        hooks |= {
            "hook_attn_scores": {"shape": keyed, "tensor": "attention scores before the softmax"},
            "hook_pattern": {"shape": keyed, "tensor": "attention weights after the softmax"},
        }
        which: Data = {"call": found.softmax_call} if found.calls > 1 else {}
        taps: Data = {
            "hook_attn_scores": {"torch": "softmax", "argument": 0, **which},
            "hook_pattern": {"torch": "softmax", **which},
        }
        operands = (("queries", found.queries), ("keys", found.keys), ("values", found.values))
        for at, (what, operand) in enumerate(operands):
            hook = f"hook_{what[0]}"
            if found.eager:
                axes = self.axes(found.eager[at])
                taps[hook] = {"function": [EAGER], "argument": at + 1}
            elif operand:
                axes = self.axes(operand.tensor)
                taps[hook] = {
                    "torch": operand.function,
                    "call": operand.call,
                    "argument": operand.argument,
                }
            else:
                continue
            if at:
                axes = ["kv_pos" if axis == "pos" else axis for axis in axes]
            hooks[hook] = {"shape": axes, "tensor": what}
        if found.eager:
            # What is returned has positions before heads, whatever the class.
            axes = [*_STREAM, self.axes(found.scores)[1], self.axes(found.eager[2])[-1]]
            hooks["hook_z"] = {"shape": axes, "tensor": "values mixed by the pattern, per head"}
            taps["hook_z"] = {"function": [EAGER], "part": 0}
        given = self._as_shape(hooks) if found.eager and not which else None
        if given:
            return use("attention", path, hooks, given, _ATTENTION)
        return written("HFTappedAttentionBridge", path, hooks, config=True, taps=taps)

    def _as_shape(self, hooks: Data) -> Data | None:
        """The arguments with which the shape of attention has these hooks; None if none do."""
        axes = {name: hook.get("shape", []) for name, hook in hooks.items()}
        given = {"in": axes["hook_in"][-1:], "out": axes["hook_out"][-1:],
                 "heads": axes["hook_q"][1:2], "kv_heads": axes["hook_k"][1:2],
                 "width": axes["hook_q"][3:], "value_width": axes["hook_v"][3:]}  # fmt: skip
        if any(len(one) != 1 for one in given.values()):
            return None
        one = {name: found[0] for name, found in given.items()}
        expected = {
            "hook_in": [*_STREAM, one["in"]],
            "hook_out": [*_STREAM, one["out"]],
            "hook_q": ["batch", one["heads"], "pos", one["width"]],
            "hook_k": ["batch", one["kv_heads"], "kv_pos", one["width"]],
            "hook_v": ["batch", one["kv_heads"], "kv_pos", one["value_width"]],
            "hook_attn_scores": ["batch", one["heads"], "pos", "kv_pos"],
            "hook_pattern": ["batch", one["heads"], "pos", "kv_pos"],
            "hook_z": [*_STREAM, one["heads"], one["value_width"]],
        }
        return one if axes == expected else None


def use(shape: str, path: str, hooks: Data, given: Data, defaults: Data) -> Made:
    """A use of a shape, with the arguments that are not its defaults."""
    arguments = {name: one for name, one in given.items() if one != defaults[name]}
    own = {name: hook for name, hook in hooks.items() if "overwritten" in hook}
    said: Data = {"shape": shape, "path": path}
    said |= {"with": arguments} if arguments else {}
    said |= {"hooks": own} if own else {}
    return Made(hooks, **said)


def written(component: str, path: str, hooks: Data, **more: Any) -> Made:
    """A component that is written out."""
    return Made(hooks, component=component, path=path, **more, hooks=hooks)


def is_path(path: str) -> bool:
    """Whether a spec can name a module by this path; a number is a place in a list."""
    return all(_KEY.fullmatch(part) or _PLACE.fullmatch(part) for part in path.split("."))


def free_key(path: str, taken: set[str], role: str = "") -> str:
    """A key for a module, of the last parts of its path that no other has.

    A key with `role` begins with it where the path has no name, or one that TransformerLens takes
    for that of a weight, as it does in layers.
    """
    parts = path.split(".")
    for number in range(1, len(parts) + 1):
        key = "_".join(parts[-number:]).strip("_")
        if role and (key.startswith(AS_WEIGHTS) or _PLACE.match(key)):
            key = f"{role}_{key}"
        if _KEY.fullmatch(key) and key not in taken:
            break
    taken.add(key)
    return key
