"""Hooks that fire after a switch is set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import reduce
from typing import Any

from adaptergen.verify.promises import Promise
from adaptergen.verify.reference import Reference
from adaptergen.verify.subject import Subject, attributes, difference


def check_on_request(subject: Subject, reference: Reference) -> None:
    """Hooks with a switch fire when it is set, in their shapes, and the logits stay close."""
    bridge, tokens = subject.bridge, reference.work.tokens
    asked = [promise for promise in subject.promised if promise.state == "on_request"]
    for switch in {p.row.contract.switch for p in asked if p.row.contract}:
        group = [p for p in asked if p.row.contract and p.row.contract.switch == switch]
        with _switched(bridge, str(switch), group):
            logits, cache = bridge.run_with_cache(tokens, use_cache=False)
        apart = difference(logits, reference.logits)
        subject.sheet.parity[f"with {switch}"] = apart
        for promise in group:
            expected = subject.shape(promise, *tokens.shape)
            found = cache.cache_dict.get(promise.name)
            measured = "silent" if found is None else str(tuple(found.shape))
            subject.sheet.count("hooks on request")
            if measured != str(expected):
                what = f"the hook {promise.row.name} is not as promised with {switch} set"
                mend = "mend the shape or the switch here"
                subject.find(promise.finding("hooks", what, str(expected), measured, mend))
            elif apart > 1e-3:
                what = f"logits with {switch} set are not close to HF's"
                mend = "compare the component with HF's module"
                subject.find(promise.finding("parity", what, "<= 0.001", f"{apart:g}", mend))


@contextmanager
def _switched(bridge: Any, switch: str, group: Sequence[Promise]) -> Iterator[None]:
    with ExitStack() as stack:
        if switch.startswith("set_"):
            getattr(bridge, switch)(True)
            stack.callback(getattr(bridge, switch), False)
        else:
            for path in {promise.name.rpartition(".")[0] for promise in group}:
                _, layer, *inner = path.split(".")
                component = reduce(getattr, inner, bridge.blocks[int(layer)])
                stack.enter_context(attributes(component, **{switch: True}))
        yield
