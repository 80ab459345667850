"""`docs/mutants.md`: counts, survivors and disagreements, of what was run and where."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mutation import Mutant

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SURVIVORS = Path(__file__).with_name("survivors.toml")
PACKAGES = ("transformer-lens", "transformers", "torch", "pytest")
Outcome = tuple[Mutant, dict[str, str]]

_INTRO = """\
<!-- Written by `make mutants`. -->
# Mutants

A mutant is a file with one mistake. Mutants of adapters and of the runtime show what the tests
miss: a mutant that passes all tests is a survivor, and counts as one, whatever its reason. Mutants
of adapters, specs and shapes show whether `verify` and the emitted tests agree.

Both verdicts are taken in one process per mutant, each up to its first failure. The emitted tests
are the classes of the emitted files, called test by test, without pytest around them; `verify` is
its tiny tier, with the look at paths that comes first. Both get Hugging Face's models and answers
from one run, since no mistake in an adapter changes those; each wraps and checks a copy of its own.
Files are not formatted. A mutant that `build` refuses has no verdict, nor has one from which the
same adapter and the same tests are built.
"""


def reasons() -> dict[tuple[str, ...], str]:
    """Why each survivor that was looked at survives, by all of its identity but the number."""
    entries = tomllib.loads(SURVIVORS.read_text("utf-8")).get("survivor", [])
    return {
        (file, e["operator"], e["where"], e["before"], e["after"]): e["reason"]
        for e in entries
        for file in e["files"]
    }


def disagreements(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """What one verdict passes and the other does not, and what ended without a verdict."""
    return [
        (mutant, result)
        for mutant, result in outcomes
        if "ended" in result
        or ("verify" in result and bool(result["emitted"]) != bool(result["verify"]))
    ]


def of_adapter(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those of Python modules, which tests have to fail on."""
    return [(mutant, result) for mutant, result in outcomes if mutant.file.endswith(".py")]


def is_killed(result: Mapping[str, str]) -> bool:
    """Whether a test failed."""
    return bool(result.get("emitted", "ended"))


def score(outcomes: Sequence[Outcome]) -> float:
    """The share that is killed."""
    return sum(is_killed(result) for _, result in outcomes) / len(outcomes) if outcomes else 1.0


def page(
    suites: Mapping[str, list[Outcome]],
    end_to_end: Mapping[str, list[Any]],
    everything: Mapping[str, Sequence[Mutant]],
) -> str:
    """The page of all suites; `everything` has all mutants of each, judged or not."""
    names = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    parts = [_INTRO, f"With {names}, {python}.\n"]
    if any(len(outcomes) < len(everything[name]) for name, outcomes in suites.items()):
        parts.append("**Not all mutants were judged**: each row says how many of how many.\n")
    parts += _agreement(suites, end_to_end, everything)
    for name, outcomes in suites.items():
        total = sum(mutant.file.endswith(".py") for mutant in everything[name])
        parts += _section(name, of_adapter(outcomes), total)
    return "\n".join(parts)


def _of(judged: int, total: int) -> str:
    return f"{judged}" if judged == total else f"{judged} of {total}"


def _agreement(
    suites: Mapping[str, list[Outcome]],
    end_to_end: Mapping[str, list[Any]],
    everything: Mapping[str, Sequence[Mutant]],
) -> Iterator[str]:
    yield "## Agreement of `verify` and the emitted tests\n"
    yield "| Family | Mutants of | Mutants | Refused | Same | Both fail | Both pass | Disagree |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    apart: list[Outcome] = []
    for name, outcomes in suites.items():
        for what in ("adapter", "spec", "shapes"):
            some = [(m, r) for m, r in outcomes if name != "runtime" and _file_kind(m) == what]
            if not some:
                continue
            disagree = disagreements(some)
            apart += disagree
            counts = Counter(_outcome(result) for _, result in some)
            total = sum(_file_kind(mutant) == what for mutant in everything[name])
            row = (
                f"`{name}`", what, _of(len(some), total), counts["refused"], counts["same"],
                counts["fail"], counts["pass"], len(disagree),
            )  # fmt: skip
            yield f"| {' | '.join(map(str, row))} |"
    yield "\n### Disagreements\n"
    yield "\n".join(f"- {line(m)}. {r}" for m, r in apart) if apart else "None."
    yield ""
    ran = [one for rows in end_to_end.values() for one in rows]
    if ran:
        wrong = [one for one in ran if not one["agrees"]]
        yield (
            f"{len(ran)} of these mutants, drawn at random, were run as a user would: `build`, "
            f"`pytest` on what it writes, and `verify`, each in a process of its own. Their exit "
            f"codes say the same as the verdicts here on {len(ran) - len(wrong)}.\n"
        )
        yield from (f"- {one['mutant']}: {one['commands']}" for one in wrong)


def _file_kind(mutant: Mutant) -> str:
    if mutant.file.endswith(".py"):
        return "adapter"
    return "shapes" if "/shapes/" in mutant.file else "spec"


def _outcome(result: Mapping[str, str]) -> str:
    for name in ("refused", "same", "ended"):
        if name in result:
            return name
    if bool(result["emitted"]) != bool(result["verify"]):
        return "disagree"
    return "fail" if result["emitted"] else "pass"


def _section(name: str, outcomes: list[Outcome], total: int) -> Iterator[str]:
    killed = [mutant for mutant, result in outcomes if is_killed(result)]
    tests = "The runtime's own tests" if name == "runtime" else "The emitted tests"
    heading = "The runtime" if name == "runtime" else f"`{name}`"
    yield f"## {heading}\n"
    share = f"{100 * score(outcomes):.1f} %"
    judged = "" if len(outcomes) == total else f" that were judged, of {total} in all"
    yield f"{tests} kill **{len(killed)} of {len(outcomes)} mutants ({share})**{judged}.\n"
    for heading, group in (("Mistake", "operator"), ("Module", "file")):
        total = Counter(getattr(mutant, group) for mutant, _ in outcomes)
        kills = Counter(getattr(mutant, group) for mutant in killed)
        if group == "file" and len(total) == 1:
            continue
        yield f"| {heading} | Mutants | Killed |\n| --- | ---: | ---: |"
        yield from (f"| {one} | {total[one]} | {kills[one]} |" for one in sorted(total))
        yield ""
    survivors = [mutant for mutant, result in outcomes if not is_killed(result)]
    if survivors:
        known = reasons()
        yield f"### Survivors of {heading_of(name)}\n"
        yield from (
            f"- {line(one)}. {known.get(one.identity[:5], '')}".rstrip() for one in survivors
        )
        yield ""


def heading_of(name: str) -> str:
    """A suite in a sentence."""
    return "the runtime" if name == "runtime" else f"`{name}`"


def line(mutant: Mutant) -> str:
    """A mutant in one line."""
    after = f"`{mutant.after}`" if mutant.after else "nothing"
    change = f"`{mutant.before}` becomes {after}" if mutant.before else f"{after} is added"
    return f"{mutant.operator} in `{mutant.file}`, `{mutant.where}`: {change}"


def toml(mutant: Mutant) -> str:
    """A survivor as `survivors.toml` names it."""
    names = ("operator", "where", "before", "after")
    parts = [f'files = ["{mutant.file}"]']
    return ", ".join(parts + [f"{name} = {json.dumps(getattr(mutant, name))}" for name in names])
