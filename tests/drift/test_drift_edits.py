"""Whether edits of hooks reach the logits: each alone, or each in a row of one batch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.heavy


class Bridge:
    """`embed` and `dropped` have a row for each of the batch, `for_all` one, `flat` no batch."""

    def __init__(self, refuses: bool) -> None:
        self.refuses, self.runs = refuses, 0

    def run_with_hooks(self, tokens: Any, fwd_hooks: Any) -> Any:
        import torch

        self.runs += 1
        edits = dict(fwd_hooks)

        def hooked(name: str, value: Any) -> Any:
            return edits[name](value, None) if name in edits else value

        made = hooked("embed", torch.ones(*tokens.shape, 4))
        hooked("dropped", made)
        hooked("dropped_for_all", torch.ones(1, tokens.shape[1], 4))
        one = hooked("for_all", torch.ones(1, tokens.shape[1], 4))
        if self.refuses and len(one) > 1:
            raise RuntimeError("one row is expected")
        return made * one * hooked("flat", torch.ones(tokens.shape[1], 4))


@pytest.mark.parametrize(("refuses", "runs"), [(False, 2), (True, 5)])
def test_what_reaches_the_logits(refuses: bool, runs: int) -> None:
    import torch

    from adaptergen.observe.hooks import _reaching

    rows = {"embed": 2, "dropped": 2, "dropped_for_all": 1, "for_all": 1, "flat": 3}
    promised: list[Any] = [
        SimpleNamespace(
            name=name,
            contract=SimpleNamespace(axes=["batch" if count == 2 else "4"]),
        )
        for name, count in rows.items()
    ]
    fired = {name: torch.ones(count, 4) for name, count in rows.items()}
    bridge = Bridge(refuses)
    subject: Any = SimpleNamespace(bridge=bridge, hf_config=SimpleNamespace(vocab_size=50))
    assert _reaching(subject, promised, fired) == {"embed", "for_all", "flat"}
    assert bridge.runs == runs
