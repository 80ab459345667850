"""The benchmark suite of TransformerLens, with generated adapters and with those written by hand.

    python tests/matrix/suite.py

Writes `docs/benchmark_suite.md`. Exit code 1: an adapter passes fewer checks than the one written
by hand, or fails one for a reason that is not written down here.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from environments import PROJECT, measured, python

HERE = Path(__file__).parent
PAGE = PROJECT / "docs" / "benchmark_suite.md"
TITLES = {
    "helium": "Helium",
    "nemotron_h": "Nemotron-H",
    "deepseek_v2": "DeepSeek-V2",
    "deepseek_v3": "DeepSeek-V3",
}
#: Families that TransformerLens has an adapter for.
BY_HAND = ("nemotron_h", "deepseek_v2", "deepseek_v3")
COMPONENTS = "all_components"
#: A check -> what each of its failures is like, and the cause in the suite.
CAUSES = {
    "hook_functionality": (
        r"blocks\.0\.attn\.hook_v. does not exist",
        "wants `blocks.0.attn.hook_v`; layer 0 is a Mamba-2 mixer and has no attention",
    ),
    COMPONENTS: (
        r"blocks\.\d+\.attn\.q_proj: 'NoneType' object is not callable",
        "`q_proj` is on the template of the blocks, for configs without compressed queries; the "
        "suite takes the attribute that is None here for a component, and calls it",
    ),
    "value_bias_folding": (
        "b_V is not available on MLA",
        "reads `b_V`; latent attention has no values by head to read it from, and the suite takes "
        "the error with which TransformerLens says so for a failure",
    ),
    "weight_modification": (
        "W_V is not available on MLA",
        "changes `W_V`; latent attention has no such matrix, and the suite takes the error with "
        "which TransformerLens says so for a failure",
    ),
}

Checks = list[dict[str, Any]]


def run(module: str, whose: str) -> Checks:
    """The checks of one adapter."""
    made = python(HERE / "measure_suite.py", module, whose, before=(PROJECT, HERE))
    if made.returncode:
        raise RuntimeError(f"{module}, {whose}:\n{made.stderr}")
    checks: Checks = json.loads(made.stdout.splitlines()[-1])
    return checks


def files_of(module: str) -> tuple[str, ...]:
    """What a run rests on."""
    own = (f"generated/{module}/**/*", "generated/_runtime/**/*", f"specs/{module}.yaml")
    return (*own, "tests/matrix/measure_suite.py")


def passed(checks: Checks) -> int:
    """How many checks passed."""
    return sum(check["passed"] for check in checks)


def failed(checks: Checks, name: str) -> list[str]:
    """All failures of the checks of a name."""
    return [told for check in checks if check["name"] == name for told in check["failures"]]


def cause(check: dict[str, Any]) -> str | None:
    """Why a check fails, if that is known of all its failures."""
    pattern, why = CAUSES.get(check["name"], ("(?!)", ""))
    return why if all(re.search(pattern, told) for told in check["failures"]) else None


def problems(module: str, ours: Checks, theirs: Checks | None) -> list[str]:
    """Where the generated adapter is worse, or fails for no known reason."""
    unknown = [check for check in ours if not check["passed"] and cause(check) is None]
    found = [f"{module}: {check['name']} fails: {check['failures']}" for check in unknown]
    if theirs is None:
        return found
    if passed(ours) < passed(theirs):
        found.append(f"{module}: {passed(ours)} checks pass, by hand {passed(theirs)}")
    if len(failed(ours, COMPONENTS)) > len(failed(theirs, COMPONENTS)):
        found.append(f"{module}: more components fail than by hand")
    return found


def page(results: dict[str, dict[str, Checks]]) -> str:
    """The Markdown of the page."""
    version = importlib.metadata.version
    rows = []
    for module, made in results.items():
        ours, theirs = made["ours"], made.get("theirs")
        cells = [str(passed(ours)), "no adapter" if theirs is None else str(passed(theirs))]
        for checks in (ours, theirs):
            cells.append("-" if checks is None else str(len(failed(checks, COMPONENTS))))
        rows.append((TITLES[module], str(len(ours)), *cells))
    head = (
        *("Family", "Checks", "Passed, generated", "Passed, by hand"),
        *("Failing components, generated", "Failing components, by hand"),
    )
    reasons = []
    for module, made in results.items():
        for name in dict.fromkeys(c["name"] for c in made["ours"] if not c["passed"]):
            failing = [c for c in made["ours"] if c["name"] == name and not c["passed"]]
            phases = ", ".join(str(check["phase"]) for check in failing)
            theirs = made.get("theirs", [])
            both = {c["phase"] for c in theirs if c["name"] == name and not c["passed"]}
            also = "yes" if {c["phase"] for c in failing} <= both else "no"
            why = "; ".join(dict.fromkeys(cause(c) or "**no cause is known**" for c in failing))
            reasons.append((TITLES[module], f"`{name}`", phases, also, why))
    columns = ("Family", "Check that fails", "Phase", "Also by hand", "Cause in the suite")
    return f"""\
# The benchmark suite of TransformerLens

Written by `make prove`: phases 1 to 3 of `transformer_lens.benchmarks.run_benchmark_suite`, whose
scores stand in TransformerLens' registry of models, on the tiny model of each spec, saved and
loaded. Phase 1 compares components and logits with Hugging Face's, phase 2 tests generation, hooks,
caches and gradients, phase 3 does so in compatibility mode.

transformer-lens {version("transformer-lens")}, transformers {version("transformers")}, torch
{version("torch").partition("+")[0]} on a CPU, float32. *By hand* is the adapter that this
TransformerLens ships. *Failing components* are those of the check `all_components`.

{table(head, rows)}

{table(columns, reasons)}
"""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> int:
    """Run what was not run before, two at a time, and write the page."""
    calls = [(module, "ours") for module in TITLES] + [(module, "theirs") for module in BY_HAND]
    with ThreadPoolExecutor(2) as pool:
        made = pool.map(
            lambda call: measured(
                f"suite-{call[0]}-{call[1]}", files_of(call[0]), functools.partial(run, *call)
            ),
            calls,
        )
        results: dict[str, dict[str, Checks]] = {module: {} for module in TITLES}
        for (module, whose), checks in zip(calls, made, strict=True):
            print(f"suite, {module}, {whose}: {passed(checks)} of {len(checks)}", flush=True)
            results[module][whose] = checks
    PAGE.write_text(page(results), encoding="utf-8")
    found = [
        problem
        for module, made_of in results.items()
        for problem in problems(module, made_of["ours"], made_of.get("theirs"))
    ]
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
