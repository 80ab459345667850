"""Which hooks of a bridge fire, and which edits reach the logits.

Rows of a batch do not see each other, so one run edits each hook in a row of its own. The first row
stays as it is and proves that: where it changes, rows share sums or experts, and what changed by
little is edited once more in a run of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import torch

from adaptergen.contract.models import attributes, quiet
from adaptergen.survey.runs import BATCH, seeded

#: Rows of a run with edits, the unchanged one included. A prime, so that no other axis is as long
#: or a multiple of it.
_ROWS = 29
#: An edit changes logits by more, and rounding in a batch with other rows by far less.
_NOISE = 1e-5
_APART = 1e-3

Edits = list[tuple[str, Callable[..., Any]]]


@dataclass(frozen=True)
class Subject:
    """A bridge around a model, and what it is run on. `options` go to each forward."""

    bridge: Any
    tokens: Any
    options: Mapping[str, Any]

    @property
    def first(self) -> Any:
        """The tokens of the first text."""
        return self.tokens[: len(self.tokens) // BATCH]

    def run(self, edits: Edits, tokens: Any = None) -> Any:
        """The logits of a run with these hooks."""
        given = self.tokens if tokens is None else tokens
        options = {
            name: value[:1].repeat(len(given), *[1] * (value.dim() - 1))
            if isinstance(value, torch.Tensor) and len(value) != len(given)
            else value
            for name, value in self.options.items()
        }
        with quiet(), seeded():
            return self.bridge.run_with_hooks(given, fwd_hooks=edits, **options)

    def fired(self) -> dict[str, list[Any]]:
        """What each hook held, call by call. Those that need a switch are left out by a bridge."""
        found: dict[str, list[Any]] = {}

        def note(activation: Any, hook: Any) -> None:
            # What follows may change it in place.
            kept = activation.detach().clone() if isinstance(activation, torch.Tensor) else None
            found.setdefault(str(hook.name), []).append(kept)

        self.run([(lambda name: True, note)])  # type: ignore[list-item]  # names may be chosen
        return found


def hook_names(bridge: Any) -> dict[str, str]:
    """Every name of a hook, aliases too, and the name of the hook that it leads to."""
    return {name: str(point.name) for name, point in bridge.hook_dict.items()}


def on_request(subject: Subject, silent: set[str], switches: Collection[str]) -> set[str]:
    """Those of the silent hooks that fire once a switch is set.

    A switch is a method of bridges, or an attribute of components.
    """
    found: set[str] = set()
    bridge = subject.bridge
    for name in [name for name in dir(type(bridge)) if name.startswith("set_use_")]:
        # A bridge raises where no attention of it has the hook.
        with suppress(Exception), quiet():
            getattr(bridge, name)(True)
            try:
                found |= silent & subject.fired().keys()
            finally:
                getattr(bridge, name)(False)
    for name in switches:
        with ExitStack() as stack:
            for component in bridge.modules():
                if hasattr(component, name):
                    stack.enter_context(attributes(component, **{name: True}))
            found |= silent & subject.fired().keys()
    return found


def edited(activation: Any) -> Any:
    """Other values that a model can use in their place; no norm takes them back."""
    if activation.is_floating_point() or activation.is_complex():
        ramp = torch.arange(activation.numel(), dtype=torch.float32).cos().view(activation.shape)
        return (1.5 * activation + 0.5 * ramp).to(activation.dtype)
    if activation.dtype == torch.bool:
        return ~activation
    return (activation + 1) % (activation.max() + 1)


def edit(activation: Any, hook: Any) -> Any:
    """The edit of a hook in all rows."""
    return edited(activation)


def reaching(subject: Subject, fired: Mapping[str, Sequence[Any]]) -> set[str]:
    """The hooks whose edit changes the logits."""
    plain = subject.run([], subject.first)
    if plain.isnan().any():
        raise ValueError("the logits are no numbers, so no edit can be told to change them")
    names = [name for name, held in fired.items() if all(isinstance(t, torch.Tensor) for t in held)]
    found: set[str] = set()
    alone = [name for name in names if not all(_has_rows(t, subject) for t in fired[name])]
    rest = [name for name in names if name not in alone]
    base = subject.run([], subject.first.repeat(_ROWS, 1)) if rest else None
    for first in range(0, len(rest), _ROWS - 1):
        group = rest[first : first + _ROWS - 1]
        reached, doubtful = _edited_in_rows(subject, group, base)
        found |= reached
        alone += doubtful
    for name in alone:
        with suppress(Exception):  # what cannot be computed with other values is not editable
            if reaches(subject, name, plain):
                found.add(name)
    return found


def reaches(subject: Subject, name: str, plain: Any) -> bool:
    """Whether an edit of a hook changes the logits of the first text, which are `plain`."""
    tokens = subject.first
    logits = subject.run([(name, edit)], tokens)
    if torch.equal(logits, plain):
        return False
    # A hook may change by a rounding what is computed, only by being there.
    large = not (logits - plain).abs().max() <= _APART
    return large or not torch.equal(logits, subject.run([(name, lambda t, hook: t)], tokens))


def _has_rows(tensor: Any, subject: Subject) -> bool:
    """Whether the rows of the batch lie one after the other along the first axis."""
    rows, pos = subject.tokens.shape
    return tensor.dim() > 1 and tensor.shape[0] in (BATCH, BATCH * pos, rows, rows * pos)


def _edited_in_rows(subject: Subject, names: list[str], base: Any) -> tuple[set[str], list[str]]:
    """Of these hooks those whose edit reaches the logits, and those that have to be asked alone."""
    odd: set[str] = set()
    edits = [(name, _edit_row(row, odd)) for row, name in enumerate(names, 1)]
    try:
        logits = subject.run(edits, subject.first.repeat(_ROWS, 1))
    except Exception:  # one of the hooks cannot be edited, or not in a batch
        if len(names) == 1:
            return set(), names
        half = len(names) // 2
        halves = [_edited_in_rows(subject, part, base) for part in (names[:half], names[half:])]
        return halves[0][0] | halves[1][0], halves[0][1] + halves[1][1]
    apart = (logits - base).abs().reshape(_ROWS, -1).amax(1)
    noise = float(apart[0])
    if not noise <= _NOISE:
        return set(), names
    # A difference that is no number is one too.
    found = {
        name
        for row, name in enumerate(names, 1)
        if name not in odd and not (apart[row] <= (_APART if noise else 0.0))
    }
    doubtful = [name for name in names if name in odd or (noise and name not in found)]
    return found, doubtful


def _edit_row(row: int, odd: set[str]) -> Callable[..., Any]:
    def change(activation: Any, hook: Any) -> Any:
        if activation.shape[0] % _ROWS:
            odd.add(str(hook.name))
            return activation
        by_row = activation.clone().unflatten(0, (_ROWS, -1))
        by_row[row] = edited(by_row[row])
        return by_row.flatten(0, 1)

    return change
