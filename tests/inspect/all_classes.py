"""Observe every causal language model of the installed transformers, and keep the table.

    python tests/inspect/all_classes.py            write the table in docs/inspect.md anew
    python tests/inspect/all_classes.py Bamba Xmod  print the rows of classes with these in the name

A class that hangs or crashes costs only its row.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path

from adaptergen.facts import Facts
from adaptergen.inspection.fault_isolation import Job, each_limited
from adaptergen.inspection.target import Target, load_class
from adaptergen.problems import Failed

PAGE = Path(__file__).parents[2] / "docs" / "inspect.md"
START, END = "<!-- The table starts here. -->", "<!-- The table ends here. -->"

#: Seconds for one class, and the least number of classes that have to run.
LIMIT, LEAST = 60.0, 170


def names() -> list[str]:
    """The classes of the auto mapping, sorted; several types of model may share one."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()))


def rows(chosen: list[str]) -> list[tuple[bool, str]]:
    """Whether each class runs, and its row of the table."""
    jobs = [Job(f"`{name}`", partial(_observed, name)) for name in chosen]
    return [_row(*pair) for pair in zip(chosen, each_limited(jobs, LIMIT), strict=True)]


def _row(name: str, found: Facts | Failed) -> tuple[bool, str]:
    if isinstance(found, Failed):
        (problem,) = found.problems
        return False, f"| {name} | {problem.code} | {_cell(problem.message)} | | |"
    cells = (name, _kinds(found), _functional(found), _cache(found), _not(found))
    return True, f"| {' | '.join(cells)} |"


def _observed(name: str) -> Facts:
    from adaptergen.inspection.observe import observe_class

    return observe_class(load_class(Target(name)))


def _kinds(facts: Facts) -> str:
    return ", ".join(f"{kind.name}" for kind in facts.branches[0].kinds) or "no layers found"


def _functional(facts: Facts) -> str:
    return ", ".join(sorted({use.module for use in facts.branches[0].functional}))


def _cache(facts: Facts) -> str:
    cache = facts.branches[0].cache
    return cache.cls.rpartition(".")[2] or (_cell(cache.error) if cache.error else "none")


def _not(facts: Facts) -> str:
    traces = facts.branches[0].traces.items()
    return "; ".join(f"{scenario}: {_cell(t.error)}" for scenario, t in traces if t.error)


def _cell(text: str) -> str:
    short = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return short if len(short) < 160 else short[:157] + "..."


def warm() -> None:
    """Import once, and not in each process, what transformers imports when it is first used."""
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    _observed("LlamaForCausalLM")


def table(made: list[tuple[bool, str]]) -> str:
    """The table with its heading and the number of classes that run."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("transformers", "torch"))
    return "\n".join((
        f"{runs(made)} of {len(made)} classes run ({packages}).", "",
        "| Class | Kinds of layer | Used without a call | Cache | Not possible |",
        "| --- | --- | --- | --- | --- |",
        *(text for _, text in made),
    ))  # fmt: skip


def runs(made: list[tuple[bool, str]]) -> int:
    """How many of the classes run."""
    return sum(fine for fine, _ in made)


def main(wanted: list[str]) -> int:
    """Observe all classes, or those wanted."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    start = time.monotonic()
    chosen = [name for name in names() if not wanted or any(part in name for part in wanted)]
    warm()
    made = rows(chosen)
    seconds = time.monotonic() - start
    print(f"{runs(made)} of {len(made)} in {seconds:.0f} s")
    if wanted:
        print(table(made))
        return 0
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    text = f"{before}{START}\n\n{table(made)}\n\n{END}{rest.partition(END)[2]}"
    PAGE.write_text(text, encoding="utf-8", newline="\n")
    return 0 if runs(made) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
