"""The checkpoint tier: real weights, in memory or spread by accelerate over devices and disk."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from adaptergen.loading import load_checked
from adaptergen.problems import quote
from adaptergen.verify.checks.dimensions import check_dimensions
from adaptergen.verify.checks.flags import check_flags
from adaptergen.verify.checks.generation import check_generation
from adaptergen.verify.checks.hooks import check_fired, check_offered
from adaptergen.verify.checks.parity import check_parity
from adaptergen.verify.findings import Finding, Sheet, Spot
from adaptergen.verify.known import BadInput
from adaptergen.verify.models import hf_class
from adaptergen.verify.reference import Reference, Work, random_tokens, take_reference
from adaptergen.verify.target import Target
from adaptergen.verify.tiers.steps import guarded, look_at, run_checks, timed, wrap_model

PROMPT, POS, NEW_TOKENS = "The capital of France is", 5, 8

_MEND = """\
compare names and shapes in the safetensors, and config.json, with what transformers saves; \
dequantize weights with the tool that quantized them"""
_NAME = "name a Hub id or a folder with config.json and weights"


@dataclass(frozen=True)
class Placement:
    """What to load, a Hub id or a folder, and where and how to hold it.

    `dtype` is a name of torch's, or `auto` for that of the weights. With a `device_map`
    accelerate spreads the model over devices up to `max_memory` (by device, such as `8GB`), and
    puts the rest into `offload_folder`, or into a temporary one. Code that the checkpoint brings is
    run with `trust_remote_code` only.
    """

    checkpoint: str
    device: str | None = None
    dtype: str = "auto"
    device_map: str | None = None
    max_memory: Mapping[int | str, str] = field(default_factory=dict)
    offload_folder: Path | None = None
    trust_remote_code: bool = False


def checkpoint(target: Target, placement: Placement) -> list[Sheet]:
    """One sheet. The weights are in memory once: HF computes before the model is wrapped."""
    sheet = Sheet(placement.checkpoint)
    with timed(sheet), torch.no_grad(), _folder(placement) as folder:
        model = _load(target, placement, folder, sheet)
        if model is not None:
            _measure(target, model, placement, sheet)
        gc.collect()
    return [sheet]


def _measure(target: Target, model: Any, placement: Placement, sheet: Sheet) -> None:
    kinds = look_at(target, model, sheet)
    if kinds is None:
        return
    spread = getattr(model, "hf_device_map", None)
    if spread:
        places = [str(place) for place in spread.values()]
        sheet.placement = {place: places.count(place) for place in sorted(set(places))}
    tokens, sheet.prompt = _tokens(model, placement)
    work = Work(tokens, lengths=(tokens.shape[1],), new_tokens=NEW_TOKENS, uncached=False)
    reference = _reference(target, model, work, sheet)
    if reference is None:
        return
    subject = wrap_model(target, model, kinds, sheet)
    if subject is None:
        return
    run_checks(
        sheet,
        dimensions=lambda: check_dimensions(
            target, subject.bridge.cfg, subject.hf_config, kinds, sheet
        ),
        flags=lambda: check_flags(subject),
        offered_hooks=lambda: check_offered(subject),
        parity=lambda: check_fired(subject, check_parity(subject, reference), *tokens.shape),
        generation=lambda: check_generation(subject, reference),
    )


def _reference(target: Target, model: Any, work: Work, sheet: Sheet) -> Reference | None:
    reference: Reference | None = None
    with guarded(sheet, "HF's model"):
        reference = take_reference(target, model, work)
    return reference


def _load(target: Target, placement: Placement, folder: str | None, sheet: Sheet) -> Any:
    """The model, of the class that transformers has; None if its weights cannot be converted.

    Each weight that did not load is a finding.
    """
    _check_architecture(target, placement.checkpoint)
    options: dict[str, Any] = {"dtype": _dtype(placement.dtype), "attn_implementation": "eager"}
    options["trust_remote_code"] = placement.trust_remote_code
    if placement.device_map:
        options |= {"device_map": placement.device_map, "offload_folder": folder}
        if placement.max_memory:
            options["max_memory"] = dict(placement.max_memory)
    with _readable(placement.checkpoint):
        model, faults = load_checked(hf_class(target), placement.checkpoint, **options)
    sheet.findings += [_fault(target, name, fault) for name, fault in faults.items()]
    if model is None:
        return None
    sheet.count("weights", len(model.state_dict()))
    return model if placement.device_map else model.to(_device(placement.device))


def _fault(target: Target, name: str, fault: str) -> Finding:
    """A weight that did not load. Those of all layers, and of all experts, are told together."""
    found = re.match(rf"{re.escape(target.plan.block.path)}\.(\d+)\.", name)
    at = Spot(layer=int(found[1]) if found else None, weight=name)
    what = f"{quote(re.sub(r'(?<=[.])[0-9]+(?=[.]|$)', '*', name))} did not load"
    return Finding("weights", what, "loaded", fault, _MEND, at)


def _check_architecture(target: Target, checkpoint: str) -> None:
    """Before any weights are read: HF would make up those that another architecture lacks."""
    with _readable(checkpoint):
        fields, _ = hf_class(target).config_class.get_config_dict(checkpoint)
    if not fields:
        raise _unreadable(checkpoint, "there is no config.json")
    wanted, found = target.plan.spec.architecture, fields.get("architectures") or []
    if wanted not in found:
        message = f"{checkpoint} is of {', '.join(found) or 'no known architecture'}"
        raise BadInput(message, f"name a checkpoint of {wanted}")


@contextmanager
def _readable(checkpoint: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unreadable(checkpoint, error) from error
    except Exception as error:  # of what a checkpoint holds, HF may raise anything
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise _unreadable(checkpoint, text, "mend what this message names") from error


def _unreadable(checkpoint: str, error: OSError | str, hint: str = _NAME) -> BadInput:
    return BadInput(f"{checkpoint} cannot be loaded: {error}", hint)


def _dtype(name: str) -> Any:
    return name if name == "auto" else getattr(torch, name)


def _device(name: str | None) -> str:
    return name or ("cuda" if torch.cuda.is_available() else "cpu")


def _tokens(model: Any, placement: Placement) -> tuple[Any, str]:
    """A prompt in the checkpoint's tokens, or the same random ids each time without a tokenizer."""
    from transformers import AutoTokenizer

    device = model.device if model.device.type != "meta" else "cpu"
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            placement.checkpoint, trust_remote_code=placement.trust_remote_code
        )
        return tokenizer(PROMPT, return_tensors="pt").input_ids.to(device), PROMPT
    except (OSError, ValueError, TypeError, KeyError, ImportError, AttributeError):
        return random_tokens(model.config.vocab_size, 1, POS).to(device), "random token ids"


@contextmanager
def _folder(placement: Placement) -> Iterator[str | None]:
    if placement.device_map is None or placement.offload_folder is not None:
        yield str(placement.offload_folder) if placement.offload_folder else None
        return
    with TemporaryDirectory(prefix="adaptergen-") as folder:
        yield folder
