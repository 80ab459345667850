"""The checkpoint tier: real weights, in memory or spread by accelerate over devices and disk."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from adaptergen.contract import ModelReport
from adaptergen.contract.checks import CHECKPOINT
from adaptergen.contract.reference import Work, random_tokens
from adaptergen.verify.known import BadInput
from adaptergen.verify.models import hf_class
from adaptergen.verify.target import Target
from adaptergen.verify.tiers.steps import look_and_wrap, run_checks, timed

PROMPT, POS, NEW_TOKENS = "The capital of France is", 5, 8


@dataclass(frozen=True)
class Placement:
    """What to load, a Hub id or a folder, and where and how to hold it.

    `dtype` is a name of torch's, or `auto` for that of the weights. With a `device_map`
    accelerate spreads the model over devices up to `max_memory` (by device, such as `8GB`), and
    puts the rest into `offload_folder`, or into a temporary one.
    """

    checkpoint: str
    device: str | None = None
    dtype: str = "auto"
    device_map: str | None = None
    max_memory: Mapping[int | str, str] = field(default_factory=dict)
    offload_folder: Path | None = None


def checkpoint(target: Target, placement: Placement) -> list[ModelReport]:
    """One report. The weights are in memory once: HF computes before the model is wrapped."""
    report = ModelReport(placement.checkpoint)
    with timed(report), torch.no_grad(), _folder(placement) as folder:
        _measure(target, _load(target, placement, folder), placement, report)
        gc.collect()
    return [report]


def _measure(target: Target, model: Any, placement: Placement, report: ModelReport) -> None:
    spread = getattr(model, "hf_device_map", None)
    if spread:
        places = [str(place) for place in spread.values()]
        report.placement = {place: places.count(place) for place in sorted(set(places))}
    tokens, report.prompt = _tokens(model, placement.checkpoint)
    work = Work(tokens, lengths=(tokens.shape[1],), new_tokens=NEW_TOKENS, uncached=False)
    run = look_and_wrap(target, model, report, work)
    if run is not None:
        run_checks(target, report, CHECKPOINT, run)


def _load(target: Target, placement: Placement, folder: str | None) -> Any:
    """The model, of the class that transformers has: no code of the checkpoint is run."""
    _check_architecture(target, placement.checkpoint)
    options: dict[str, Any] = {"dtype": _dtype(placement.dtype), "attn_implementation": "eager"}
    if placement.device_map:
        options |= {"device_map": placement.device_map, "offload_folder": folder}
        if placement.max_memory:
            options["max_memory"] = dict(placement.max_memory)
    try:
        model = hf_class(target).from_pretrained(placement.checkpoint, **options).eval()
    except OSError as error:
        raise _unreadable(placement.checkpoint, error) from error
    return model if placement.device_map else model.to(_device(placement.device))


def _check_architecture(target: Target, checkpoint: str) -> None:
    """Before any weights are read: HF would make up those that another architecture lacks."""
    try:
        fields, _ = hf_class(target).config_class.get_config_dict(checkpoint)
    except OSError as error:
        raise _unreadable(checkpoint, error) from error
    if not fields:
        raise _unreadable(checkpoint, "there is no config.json")
    wanted, found = target.plan.spec.architecture, fields.get("architectures") or []
    if wanted not in found:
        message = f"{checkpoint} is of {', '.join(found) or 'no known architecture'}"
        raise BadInput(message, f"name a checkpoint of {wanted}")


def _unreadable(checkpoint: str, error: OSError | str) -> BadInput:
    hint = "name a Hub id or a folder with config.json and weights"
    return BadInput(f"{checkpoint} cannot be loaded: {error}", hint)


def _dtype(name: str) -> Any:
    return name if name == "auto" else getattr(torch, name)


def _device(name: str | None) -> str:
    return name or ("cuda" if torch.cuda.is_available() else "cpu")


def _tokens(model: Any, checkpoint: str) -> tuple[Any, str]:
    """A prompt in the checkpoint's tokens, or the same random ids each time without a tokenizer."""
    from transformers import AutoTokenizer

    device = model.device if model.device.type != "meta" else "cpu"
    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint)
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
