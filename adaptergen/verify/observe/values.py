"""What a lock keeps of a tensor."""

from __future__ import annotations

from typing import Any

#: No value of a model is as large.
MASKED = 1e6


def rms(tensor: Any) -> float:
    """Root mean square, to four digits: what is left of it does not depend on the machine.

    What stands for minus infinity under a mask has no part in it.
    """
    values = tensor.detach().abs().double()
    value = values[values < MASKED].pow(2).mean().sqrt().item()
    return float(f"{value:.4g}") if value == value else -1.0
