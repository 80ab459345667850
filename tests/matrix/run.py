"""Measures both adapters of Nemotron-H on every release of transformers that the spec names.

    python tests/matrix/run.py [RELEASE...]

Writes `docs/matrix.json` and `docs/matrix.md`. Each release is an overlay below `.matrix`, so the
first run downloads them; torch and TransformerLens are those of the environment this runs in.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from environments import (
    ADAPTER,
    GENERATED,
    PROJECT,
    RELEASES,
    measured,
    overlay,
    python,
    upstream,
)

HERE = Path(__file__).parent
PAGE, DATA = PROJECT / "docs" / "matrix.md", PROJECT / "docs" / "matrix.json"
FILES = ("generated/nemotron_h/**/*", "generated/_runtime/**/*", "tests/matrix/measure.py")
WHOSE = {"ours": "generated", "theirs": "TransformerLens"}
COUNTED = ("passed", "failed", "skipped")
COLUMNS = (
    *("transformers", "Adapter", "Boots", "Parity", "Generation", "Live", "Silent"),
    *("Undeclared", "Analyses", "Widths", "Emitted tests"),
)


def measure(release: str, whose: str) -> dict[str, Any]:
    before = (overlay(release), PROJECT, HERE)
    result = python(HERE / "measure.py", whose, before=before)
    if result.returncode:
        raise SystemExit(f"{release}, {whose}:\n{result.stderr}")
    made: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    assert made["transformers"] == release
    return {**made, "tests": emitted(release, whose)}


def emitted(release: str, whose: str) -> dict[str, int]:
    """Outcomes of the generated tests; for the shipped adapter, of a copy with it in it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / GENERATED.name
        for name in (GENERATED.name, "_runtime"):
            shutil.copytree(GENERATED.with_name(name), folder.with_name(name))
        if whose == "theirs":
            shutil.copy(upstream() / ADAPTER, folder / ADAPTER)
        options = ("-q", "-m", "not slow", "-p", "no:cacheprovider", "--import-mode=importlib")
        result = python(*("-m", "pytest", *options, "."), before=(overlay(release),), cwd=folder)
    last = result.stdout.strip().splitlines()[-1]
    found = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", last)}
    if not found.get("passed") and not found.get("failed"):
        raise SystemExit(f"{release}, {whose}:\n{result.stdout}\n{result.stderr}")
    found["failed"] = found.get("failed", 0) + found.get("errors", found.get("error", 0))
    return {word: found.get(word, 0) for word in COUNTED}


def page(data: dict[str, Any]) -> str:
    """The measurements as tables; where the two models differ, the worse one is shown."""
    rows = []
    for release, made in data["releases"].items():
        for whose, title in WHOSE.items():
            rows.append(f"| {release} | {title} | {' | '.join(cells(made[whose]))} |")
    head = f"| {' | '.join(COLUMNS)} |"
    table = "\n".join([head, "| --- " * len(COLUMNS) + "|", *rows])
    versions = data["versions"]
    return f"""\
# Nemotron-H on each release of transformers

Written by `python tests/matrix/run.py` with transformer-lens {versions["transformer-lens"]},
torch {versions["torch"]} on a CPU, float32. Two tiny random models hold every kind of layer, one
of them with latent experts; a cell shows the worse of the two.

{table}

*Parity*: greatest distance of a logit to HF's, with a cache, without one and with every hook
attached. *Generation*: prompts of 1 to 9 tokens whose 16 greedy tokens are HF's. *Live*, *silent*:
hooks that a plain run fires or does not. *Undeclared*: hooks that do otherwise than a contract
states; the adapter of TransformerLens states none, so there it is the silent ones. *Analyses*:
state-space layers whose state can be computed after a plain run, of 2. *Widths*: whether
`cfg.conv_dim` and `cfg.mamba_intermediate_size` are those of the weights. *Emitted tests*: passed,
failed and skipped of those in `generated/nemotron_h`, which state what our adapter promises.
"""


def cells(measured: dict[str, Any]) -> list[str]:
    branches = [made for made in measured.values() if isinstance(made, dict) and "boots" in made]
    tests = " / ".join(str(measured["tests"][word]) for word in COUNTED)
    if not all(branch["boots"] for branch in branches):
        return ["no", *["—"] * 7, tests]

    def worst(name: str, pick: Any, of: Any = str) -> str:
        values = [branch[name] for branch in branches]
        errors = [value for value in values if isinstance(value, dict) and "error" in value]
        return f"`{errors[0]['error']}`" if errors else of(pick(values))

    def hooks(name: str, pick: Any) -> str:
        return worst("hooks", lambda values: pick(value[name] for value in values))

    return [
        "yes",
        worst("parity", max),
        worst("generation", min, lambda value: f"{value} of 9"),
        hooks("live", min),
        hooks("silent", max),
        hooks("undeclared", max),
        worst("analyses", min),
        worst("dimensions", all, lambda value: "right" if value else "wrong"),
        tests,
    ]


def main() -> None:
    releases = sys.argv[1:] or list(RELEASES)
    data: dict[str, Any] = {
        "versions": {
            name: importlib.metadata.version(name).partition("+")[0]
            for name in ("torch", "transformer-lens")
        },
        "releases": {},
    }
    for release in releases:
        data["releases"][release] = {}
        for whose in WHOSE:
            print(f"{release}: {whose}", flush=True)
            data["releases"][release][whose] = measured(
                f"{release}-{whose}", FILES, functools.partial(measure, release, whose)
            )
    if sys.argv[1:]:
        print(page(data))
        return
    DATA.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page(data), encoding="utf-8")


if __name__ == "__main__":
    main()
