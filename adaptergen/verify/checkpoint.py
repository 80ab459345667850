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

from adaptergen.contract import Finding, ModelReport, Spot
from adaptergen.contract.checks import checks_of
from adaptergen.contract.loading import load_checked
from adaptergen.contract.models import Level
from adaptergen.contract.reference import Work, random_tokens
from adaptergen.problems import InputError, quote
from adaptergen.verify.steps import look_and_wrap, run_checks, timed
from adaptergen.verify.target import Target

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


def checkpoint(target: Target, placement: Placement) -> list[ModelReport]:
    """One report. The weights are in memory once: HF computes before the model is wrapped."""
    report = ModelReport(placement.checkpoint)
    with timed(report), torch.no_grad(), _folder(placement) as folder:
        model = _load(target, placement, folder, report)
        if model is not None and not report.findings:
            _measure(target, model, placement, report)
        gc.collect()
    return [report]


def _measure(target: Target, model: Any, placement: Placement, report: ModelReport) -> None:
    spread = getattr(model, "hf_device_map", None)
    if spread:
        places = [str(place) for place in spread.values()]
        report.placement = {place: places.count(place) for place in sorted(set(places))}
    tokens, report.prompt = _tokens(model, placement)
    work = Work(tokens, lengths=(tokens.shape[1],), new_tokens=NEW_TOKENS, uncached=False)
    run = look_and_wrap(target, model, report, work)
    if run is not None:
        run_checks(target, report, checks_of(target.tables, Level.CHECKPOINT), run)


def _load(target: Target, placement: Placement, folder: str | None, report: ModelReport) -> Any:
    """The model, of the class that transformers has; None if its weights cannot be converted.

    Each weight that did not load is a finding.
    """
    _check_architecture(target, placement.checkpoint)
    options: dict[str, Any] = {"attn_implementation": "eager"}
    auto = placement.dtype == "auto"
    options["dtype"] = "auto" if auto else getattr(torch, placement.dtype)
    options["trust_remote_code"] = placement.trust_remote_code
    if placement.device_map:
        options |= {"device_map": placement.device_map, "offload_folder": folder}
        if placement.max_memory:
            options["max_memory"] = dict(placement.max_memory)
    with _readable(placement.checkpoint):
        model, faults = load_checked(target.hf_class, placement.checkpoint, **options)
    report.findings += [_fault(target, name, fault) for name, fault in faults.items()]
    if model is None:
        return None
    report.count("weights", len(model.state_dict()))
    if placement.device_map:
        return model
    return model.to(placement.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _fault(target: Target, name: str, fault: str) -> Finding:
    """A weight that did not load. Those of all layers and all experts are reported together."""
    found = re.match(rf"{re.escape(target.plan.block.path)}\.(\d+)\.", name)
    at = Spot(layer=int(found[1]) if found else None, weight=name)
    what = f"{quote(re.sub(r'(?<=[.])[0-9]+(?=[.]|$)', '*', name))} did not load"
    return Finding("weights", what, "loaded", fault, _MEND, at)


def _check_architecture(target: Target, checkpoint: str) -> None:
    """Before any weights are read: HF would make up those that another architecture lacks."""
    with _readable(checkpoint):
        fields, _ = target.hf_class.config_class.get_config_dict(checkpoint)
    if not fields:
        raise _unreadable(checkpoint, "there is no config.json")
    wanted, found = target.plan.spec.architecture, fields.get("architectures") or []
    if wanted not in found:
        message = f"{checkpoint} is of {', '.join(found) or 'no known architecture'}"
        raise InputError(message, f"name a checkpoint of {wanted}")


@contextmanager
def _readable(checkpoint: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unreadable(checkpoint, error) from error
    except Exception as error:  # of what a checkpoint holds, HF may raise anything
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise _unreadable(checkpoint, text, "fix what this message names") from error


def _unreadable(checkpoint: str, error: OSError | str, hint: str = _NAME) -> InputError:
    return InputError(f"{checkpoint} cannot be loaded: {error}", hint)


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
