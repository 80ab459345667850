"""Which mistakes do tests notice, and do `verify` and the emitted tests agree on each?

Suites are the families, and the runtime. Results are kept in `.mutants/`, a file a suite: what was
judged is not judged again, until something that it depends on changes.

    python tests/mutants/mutation_run.py --report docs/mutants.md
    python tests/mutants/mutation_run.py --suite runtime --sample 25
    python tests/mutants/mutation_run.py --suite helium --only "HF path"
    python tests/mutants/mutation_run.py --known --report docs/mutants.md
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from mutation import Mutant
from mutation_environment import ROOT
from mutation_families import FAMILIES, Family, family_mutants, tables_of
from mutation_forks import alone, in_forks, settle
from mutation_page import (
    Outcome,
    disagreements,
    is_killed,
    line,
    of_adapter,
    page,
    score,
    toml,
)
from mutation_runtime import is_imported, observed, runtime_mutants, tables_of_tests
from mutation_runtime import judge as judge_runtime
from mutation_verdicts import HFAnswers

RESULTS = ROOT / ".mutants"
RUNTIME = "runtime"
MARKS = {RUNTIME: 0.95}
MARK = 0.98
#: What a result depends on, below the root.
INPUTS = {RUNTIME: ("adaptergen/runtime", "adaptergen/behaviours", "tests/runtime")}
FAMILY_INPUTS = ("adaptergen", "specs", "templates", "generated")


class Results:
    """The results of one suite, in a file that is written as they come."""

    def __init__(self, suite: str, folder: Path, anew: bool = False) -> None:
        self.path = folder / f"{suite}.json"
        self.digest = _digest(INPUTS.get(suite, FAMILY_INPUTS))
        self.found: dict[str, dict[str, str]] = {}
        self.end_to_end: list[dict[str, Any]] = []
        kept = json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}
        if kept and (anew or kept["digest"] != self.digest):
            print(f"{suite}: what it depends on has changed, so all is judged anew")
        elif kept:
            self.found, self.end_to_end = kept["results"], kept["end_to_end"]

    def of(self, chosen: Iterable[Mutant]) -> list[tuple[Mutant, dict[str, str]]]:
        """What is known of some mutants."""
        return [(one, self.found[key]) for one in chosen if (key := _key(one)) in self.found]

    def add(self, mutant: Mutant, result: Any) -> None:
        """Keep a result; one that is a text says how a process ended without one."""
        ended = {"ended": result, "emitted": result}
        self.found[_key(mutant)] = ended if isinstance(result, str) else result

    def save(self) -> None:
        """Write the file, whole or not at all."""
        self.path.parent.mkdir(exist_ok=True)
        kept = {"digest": self.digest, "results": self.found, "end_to_end": self.end_to_end}
        partial = self.path.with_suffix(".part")
        partial.write_text(json.dumps(kept), "utf-8")
        partial.replace(self.path)


def _key(mutant: Mutant) -> str:
    return json.dumps(mutant.identity)


def _digest(folders: Iterable[str]) -> str:
    digest = sha256()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".yaml", ".json", ".jinja", ".md"):
                digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


class Runner:
    """Judges the mutants of one suite after the other."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self._answers: HFAnswers | None = None
        self._kills = Counter[str]()

    def run(self, suite: str, everything: list[Mutant]) -> tuple[list[Outcome], Results]:
        """The outcome of each mutant that is asked for; those known are not judged again."""
        arguments = self.arguments
        chosen = [
            one for one in everything if arguments.only in f"{one.operator} {one.file} {one.where}"
        ]
        if 0 < arguments.sample < len(chosen):
            chosen = random.Random(arguments.seed).sample(chosen, arguments.sample)
        results = Results(suite, arguments.results, arguments.anew)
        if arguments.known:
            return results.of(chosen), results
        known = {one.identity for one, found in results.of(chosen) if "ended" not in found}
        waiting = [one for one in chosen if one.identity not in known]
        if waiting or arguments.end_to_end > len(results.end_to_end):
            judge, family = self._judge(suite)
            self._judge_all(suite, waiting, judge, results)
            if family:
                self._end_to_end(family, results.of(chosen), results)
        return results.of(chosen), results

    def _judge(self, suite: str) -> tuple[Callable[[Mutant, Path], Any], Family | None]:
        """What judges a mutant, after it passed what has no mistake."""
        if self._answers is None:
            self._answers = HFAnswers()
        if suite == RUNTIME:
            for tables in (*map(tables_of, FAMILIES), *tables_of_tests()):
                self._answers.prepare(tables)
            # Each fork imports its mutant.
            assert not is_imported(), "the runtime is imported before any mutant of it is made"
            settle()
            seen = alone(observed)
            fine = alone(lambda _: judge_runtime(None, seen, self._kills))
            if fine != {"emitted": ""}:
                raise SystemExit(f"the runtime does not pass without a mutant: {fine}")
            # Each fork has what is known of the tests by then.
            return lambda mutant, _: judge_runtime(mutant, seen, self._kills), None
        family = Family(suite, self._answers)
        settle()
        fine = alone(lambda folder: family.judge(None, folder))
        if fine != {"emitted": "", "verify": ""}:
            raise SystemExit(f"{suite} does not pass without a mutant: {fine}")
        return family.judge, family

    def _judge_all(
        self,
        suite: str,
        waiting: list[Mutant],
        judge: Callable[[Mutant, Path], Any],
        results: Results,
    ) -> None:
        began, cores = time.monotonic(), 0.0
        for number, (mutant, result, seconds) in enumerate(
            in_forks(waiting, judge, self.arguments.workers), start=1
        ):
            results.add(mutant, result)
            cores += seconds
            self._kills[results.of([mutant])[0][1].get("emitted", "")] += 1
            ((_, kept),) = results.of([mutant])
            if disagreements([(mutant, kept)]):
                print(f"DISAGREE: {line(mutant)}: {kept}", flush=True)
            elif mutant.file.endswith(".py") and not is_killed(kept):
                print(f"survived: line {mutant.line}, {toml(mutant)}", flush=True)
            if self.arguments.verbose:
                print(f"{seconds:.1f} s: {line(mutant)}: {kept}", flush=True)
            if number % 25 == 0 or number == len(waiting):
                results.save()
                each = (time.monotonic() - began) / number
                left = (len(waiting) - number) * each / 60
                done = f"{suite}: {number} of {len(waiting)}"
                took = f"{each:.2f} s each, {cores / number:.2f} s of a core"
                print(f"{done}, {took}, {left:.0f} min left", flush=True)

    def _end_to_end(self, family: Family, outcomes: list[Outcome], results: Results) -> None:
        """Run the commands of a user on some mutants, half of them such as pass."""
        number = self.arguments.end_to_end - len(results.end_to_end)
        judged = [(m, r) for m, r in outcomes if "verify" in r]
        chooser = random.Random(self.arguments.seed)
        passing = [one for one in judged if not is_killed(one[1])]
        few = chooser.sample(passing, min(len(passing), number // 2))
        few += chooser.sample(judged, min(len(judged), max(number - len(few), 0)))
        known = {mutant.identity: result for mutant, result in few}
        for mutant, commands, _ in in_forks(
            [mutant for mutant, _ in few], family.end_to_end, self.arguments.workers, 900
        ):
            verdicts = known[mutant.identity]
            agrees = not isinstance(commands, str) and all(
                bool(commands.get(name, verdicts[name])) == bool(verdicts[name])
                for name in ("emitted", "verify")
            )
            row = {"mutant": line(mutant), "commands": commands, "agrees": agrees}
            results.end_to_end.append(row)
            results.save()
            print(f"end to end: {row}", flush=True)


def main() -> int:
    """Judge the mutants that are asked for, and write the page if one is wanted."""
    arguments = _arguments()
    runner = Runner(arguments)
    suites: dict[str, list[Outcome]] = {}
    everything: dict[str, list[Mutant]] = {}
    end_to_end: dict[str, list[Any]] = {}
    is_fine = True
    for suite in sorted(arguments.suite, key=lambda one: one != RUNTIME):
        everything[suite] = runtime_mutants() if suite == RUNTIME else family_mutants(suite)
        outcomes, results = runner.run(suite, everything[suite])
        suites[suite], end_to_end[suite] = outcomes, results.end_to_end
        share, apart = score(of_adapter(outcomes)), disagreements(outcomes)
        print(f"{suite}: {100 * share:.1f} % killed, {len(apart)} disagreements", flush=True)
        is_fine &= share >= MARKS.get(suite, MARK) and not (apart and suite != RUNTIME)
        is_fine &= all(one["agrees"] for one in results.end_to_end)
    if arguments.report:
        arguments.report.write_text(page(suites, end_to_end, everything), "utf-8")
    return 0 if is_fine else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = [RUNTIME, *FAMILIES]
    parser.add_argument("--suite", nargs="+", choices=known, default=known, help="which suites")
    parser.add_argument("--sample", type=int, default=0, help="how many mutants; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of `operator file where`")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are kept")
    parser.add_argument("--known", action="store_true", help="judge none, report what is known")
    parser.add_argument("--anew", action="store_true", help="forget what is known")
    parser.add_argument("--end-to-end", type=int, default=0, help="how many by commands, a family")
    parser.add_argument("--verbose", action="store_true", help="print each outcome")
    parser.add_argument("--report", type=Path, help="where to write the page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
