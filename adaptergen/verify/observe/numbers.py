"""Weights that are numbered and not random, so that releases can be compared by what they compute.

Random numbers would differ as soon as a release initialises one weight more. Here each weight is a
hash of its name and of the place in it, the same on every machine.
"""

from __future__ import annotations

import zlib
from typing import Any

import torch

#: No value of a model is as large.
MASKED = 1e6

_MASK = 0xFFFFFFFF


def number_weights(model: Any) -> None:
    """Fill the parameters of a model in place; matrices keep the scale of what they multiply."""
    named = list(model.named_parameters())
    counts = [parameter.numel() for _, parameter in named]
    places = [
        torch.arange(1, count + 1) + zlib.crc32(name.encode())
        for (name, _), count in zip(named, counts, strict=True)
    ]
    with torch.no_grad():
        spreads = _spread(torch.cat(places)).split(counts)
        for (_, parameter), spread in zip(named, spreads, strict=True):
            if parameter.dim() > 1:
                values = spread * (12 / parameter.shape[-1]) ** 0.5
            else:
                values = 0.75 + 0.5 * spread
            parameter.copy_(values.view(parameter.shape).to(parameter.dtype))


def _spread(places: torch.Tensor) -> torch.Tensor:
    """Numbers between -0.5 and 0.5; integers that overflow are cut to 32 bits, as everywhere."""
    hashed = places * 2654435761 & _MASK
    for shift, factor in ((15, 2246822519), (13, 3266489917)):
        hashed = (hashed ^ (hashed >> shift)) * factor & _MASK
    return (hashed ^ (hashed >> 16)).double() / (_MASK + 1) - 0.5


def rms(tensor: Any) -> float:
    """Root mean square, to four digits: what is left of it does not depend on the machine.

    What stands for minus infinity under a mask has no part in it.
    """
    values = tensor.detach().abs().double()
    value = values[values < MASKED].pow(2).mean().sqrt().item()
    return float(f"{value:.4g}") if value == value else -1.0
