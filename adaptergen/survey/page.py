"""The page of a survey: its totals, then a table with a class a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from adaptergen.coverage import ROLES, STATES, Measured, Role, SurveyedClass, SurveyTable
from adaptergen.emit import PAGE

_HEAD = """\
# What holds of every model class

Written by `adaptergen survey`. Of every class in an auto mapping of transformers a tiny model is
made, with a layer of each kind and weights that hide nothing, and each bridge around it is held
against the model alone. A row is the draft of the class; a second row is the committed spec, where
there is one. `docs/coverage.json` has all figures and all names.

- A class **stands** if logits are those of transformers to the last bit, plain, with a cache and in
  decode steps; greedy tokens are too; the stream before and after every layer, and the output of
  every attention, mixer and feed-forward, are in hooks whose edits reach the logits; and no hook is
  silent.
- It is **green** if it stands, `verify` and so the emitted tests find nothing, every module with
  weights is bound, or no run uses the weights, or the report of the bridge says why not, and there
  is a hook inside every attention, mixer and feed-forward.
- *From HF* is the largest difference of logits: plain, with a cache, in decode steps. *Tokens* are
  greedy tokens with and without a cache: as `generate` of transformers has them, as its forward has
  them where the two disagree, or other ones.
- *Stream* counts layers, *Outputs* attentions, mixers and feed-forwards. *Attention* counts the
  modules with softmax attention, and those whose pattern, scores, queries, keys and values can be
  edited.
- *Hooks* are live and editable; live, but an edit does not reach the logits; on request; silent.
- *By hand* is the adapter of TransformerLens on the same model: whether it stands, and the first
  reason why not.
"""
_COLUMNS = (
    "Class", "Draft", "From HF", "Tokens", "Stream", "Outputs", "Attention", "Hooks",
    "Why not green", "By hand",
)  # fmt: skip
_LONGEST = 100
#: Reasons that list names, which are those of one class.
_LISTING = ("outputs without an editable hook", "silent hooks", "unbound", "opaque")


def page(tables: Sequence[SurveyTable]) -> str:
    """The Markdown of all tables."""
    return PAGE + _HEAD + "".join(f"\n{_section(table)}" for table in tables)


def summary(table: SurveyTable) -> str:
    """How many classes stand and are green, in a sentence."""
    found = [one.draft or one.spec for one in table.classes]
    drafts = [measured for measured in found if measured is not None]
    stand, green = sum(d.stands for d in drafts), sum(d.green for d in drafts)
    of = f"{len(table.classes)} class{'' if len(table.classes) == 1 else 'es'}"
    return f"{table.task}, transformers {table.transformers}: {stand} of {of} stand, {green} green."


def _section(table: SurveyTable) -> str:
    title = f"## {table.task}, transformers {table.transformers}"
    on = f"transformer-lens {table.transformer_lens}, torch {table.torch}, float32 on a CPU."
    totals = "\n".join(_totals(table))
    rows = [row for one in table.classes for row in _rows(one)]
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *rows]
    listed = "\n".join(f"| {' | '.join(map(_cell, cells))} |" for cells in lines)
    return f"{title}\n\n{on}\n\n{totals}\n\n{listed}\n"


def _totals(table: SurveyTable) -> Iterator[str]:
    ran = [one for one in table.classes if not one.error]
    yield "| | Drafts | Adapters of TransformerLens |"
    yield "| --- | --- | --- |"
    yield f"| classes whose tiny model runs: {len(ran)} of {len(table.classes)} | | |"
    for what, holds in _TOTALS.items():
        counts = (
            sum(
                measured is not None and holds(measured)
                for measured in (getattr(one, of) for one in ran)
            )
            for of in ("draft", "by_hand")
        )
        yield f"| {what} | {' | '.join(map(str, counts))} |"
    for title, word in (("do not stand", "stands"), ("stand and are not green", "green")):
        yield from _grouped(ran, title, word)
    yield ""
    number = sum(bool(one.hf) for one in ran)
    yield f"In {number} classes transformers itself raises, or disagrees with itself, in a run."


def _grouped(ran: Sequence[SurveyedClass], title: str, word: str) -> Iterator[str]:
    """Classes that lack something, by the first reason, without what differs between classes."""
    groups: dict[str, list[str]] = {}
    for one in ran:
        found = one.draft
        if (
            found
            and found.why_not
            and not getattr(found, word)
            and (found.stands or word != "green")
        ):
            head = found.why_not[0].partition(": ")[0]
            told = head if head in _LISTING else found.why_not[0]
            reason = re.sub(r"`[^`]*`|\d+", "…", told)
            groups.setdefault(reason, []).append(one.name)
    if groups:
        yield f"\nDrafts that {title}, by the first reason:\n"
    for reason, names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        yield f"- {len(names)}: {_cell(reason)} ({', '.join(names)})"


def _all_editable(role: Role, found: Measured) -> bool:
    return 0 < found.attention == found.editable.get(role, 0)


#: What is counted, and of which bridges it holds.
_TOTALS: dict[str, Callable[[Measured], bool]] = {
    "can be measured": lambda found: not found.error,
    "all logits as those of transformers": lambda f: not f.error and not any(f.parity.values()),
    "stand": lambda found: found.stands,
    "green": lambda found: found.green,
    "have softmax attention": lambda found: found.attention > 0,
    **{f"{role} editable in all of it": partial(_all_editable, role) for role in ROLES},
    "have a silent hook": lambda found: bool(found.silent),
}


def _rows(one: SurveyedClass) -> Iterator[tuple[str, ...]]:
    hand = "no adapter" if one.by_hand is None else _verdict(one.by_hand)
    if one.by_hand and one.by_hand.why_not:
        hand += f": {one.by_hand.why_not[0]}"
    if one.error:
        yield one.name, "no model", *[""] * 6, one.error, hand
        return
    for title, found in (("", one.draft), (" (spec)", one.spec)):
        if found is not None:
            yield (f"{one.name}{title}", *_figures(found, one), hand if not title else "")
    if one.draft is None and one.spec is None:
        yield one.name, "none", *[""] * 6, "", hand


def _figures(found: Measured, one: SurveyedClass) -> tuple[str, ...]:
    why = "; ".join((*found.why_not, *one.hf))
    if found.error:
        return "falls", *[""] * 6, why
    apart = ["none" if value is None else f"{value:.1g}" for value in found.parity.values()]
    exact = "0" if set(apart) == {"0"} else ", ".join(apart)
    editable = "/".join(str(found.editable.get(role, 0)) for role in ROLES)
    return (
        _verdict(found),
        exact,
        ", ".join(dict.fromkeys(found.generation.values())),
        f"{found.streams} of {found.layers}",
        f"{found.parts_live} of {found.parts}",
        f"{found.attention}: {editable}" if found.attention else "none",
        "/".join(str(found.hooks.get(state, 0)) for state in STATES),
        why,
    )


def _verdict(found: Measured) -> str:
    return "green" if found.green else "stands" if found.stands else "falls"


def _cell(text: str) -> str:
    short = " ".join(text.split())
    short = short if len(short) <= _LONGEST else f"{short[: _LONGEST - 3]}..."
    # Between backticks nothing but the border of a cell has a meaning.
    parts = short.replace("|", "\\|").split("`")
    parts[::2] = [re.sub(r"[*_<]", lambda sign: "\\" + str(sign[0]), part) for part in parts[::2]]
    return "`".join(parts)
