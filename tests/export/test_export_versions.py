"""Other releases of TransformerLens than the newest: what their catalogues decide."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest_export import HELIUM, NEMOTRON, PROJECT, Result
from upstream_source import source

from adaptergen.catalogue.extract import of_checkout
from adaptergen.catalogue.settings import CAPABILITIES
from adaptergen.catalogue.store import load
from adaptergen.generate import plan
from adaptergen.problems import Failed

Run = Callable[..., Result]
OLDEST = "3.6.0"


def test_the_oldest_release_gets_no_test_of_what_it_cannot_do(run: Run) -> None:
    done = run("export", HELIUM, "--into", source(OLDEST), "--dry-run")
    assert done.code == 0, done.err
    notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert notes == [
        f"note: TransformerLens {OLDEST} cannot {told}, so there is no test of it"
        for _, told in CAPABILITIES.values()
    ]
    emitted = PROJECT / "generated/helium/tests/integration/model_bridge/test_helium_tiny.py"
    assert "lacks=" not in emitted.read_text(encoding="utf-8")
    (lacks,) = re.findall(r"^\+ +lacks=\(([^)]*)\)", done.out, re.M)
    assert set(re.findall(r'"(\w+)"', lacks)) == set(CAPABILITIES)
    # Each is heeded by the checks that come along.
    for name in CAPABILITIES:
        heeded = rf'_can\("{name}"\)|"{name}" not in (run\.)?tables\.lacks'
        assert re.search(heeded, done.out)


def test_a_router_without_hooks_of_experts_is_refused(run: Run) -> None:
    done = run("export", NEMOTRON, "--into", source(OLDEST), "--dry-run", "--replace")
    assert (done.code, done.out) == (2, "")
    for line, hook in ((11, "hook_expert_weights"), (15, "hook_expert_indices")):
        problem = f"router.yaml:{line}:3: error[unknown-hook]: MoERouterBridge has no hook `{hook}`"
        assert problem in done.err
    assert done.err.count("hint: export into TransformerLens 4.0.0, the oldest known") == 2


def test_a_flag_that_no_bridge_reads_is_refused(run: Run) -> None:
    done = run("export", HELIUM, "--into", source("3.5.1"), "--dry-run")
    assert (done.code, done.out) == (2, "")
    lines = HELIUM.read_text("utf-8").splitlines()
    flag = next(n for n, line in enumerate(lines, 1) if "rotary_adjacent_pairs:" in line)
    problem = f"helium.yaml:{flag}:5: error[unread-flag]: no bridge of TransformerLens 3.5.1"
    assert problem in done.err
    assert "hint: export into TransformerLens 3.6.0, the oldest known" in done.err


def test_a_hook_that_is_another_name_there_is_refused() -> None:
    with pytest.raises(Failed) as caught:
        plan(PROJECT / "specs" / "deepseek_v3.yaml", load("4.0.0")[0])
    (problem,) = caught.value.problems
    message = (
        "in HFLatentAttentionBridge `hook_result` is no hook of its own: it leads to `hook_out`"
    )
    assert (problem.code, problem.message) == ("unknown-hook", message)
    assert problem.location is not None and problem.location.path.endswith("latent_attention.yaml")


def test_what_was_observed_counts_where_the_source_reads_the_same() -> None:
    name = "AttentionBridge"
    fresh = of_checkout(source(OLDEST)).components[name]
    assert fresh == load(OLDEST)[0].components[name] != load("4.3.0")[0].components[name]
    assert fresh.hooks_source == "observed"


@pytest.fixture(scope="module")
def prove() -> Any:
    folder = PROJECT / "tests" / "matrix"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("matrix_prove", folder / "prove.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def test_the_tables_are_made_of_what_was_proved(prove: Any) -> None:
    data = json.loads(Path(prove.DATA).read_text(encoding="utf-8"))
    assert tuple(data) == prove.VERSIONS, "run `make prove`"
    page = prove.PAGE.read_text(encoding="utf-8")
    shown = page.partition(prove.BEGIN)[2].partition(prove.END)[0]
    assert shown.strip() == prove.tables(data).strip(), "stale: run `make prove`"


def test_every_check_passed_wherever_a_spec_is_taken(prove: Any) -> None:
    data = json.loads(Path(prove.DATA).read_text(encoding="utf-8"))
    for version, entry in data.items():
        proved = {(specs, hf) for specs, runs in entry["proved"].items() for hf in runs}
        assert proved == set(prove.CHECKED.get(version, ())), f"run `make prove` ({version})"
        for specs, runs in entry["proved"].items():
            assert not any(entry["refused"][spec] for spec in specs.split())
            for made in runs.values():
                words = {word for word, _ in made["checks"].values()}
                assert (made["exit_code"], words) == (0, {"passed"}), (version, specs)
                assert len(made["checks"]) == 7 and made["second_export_changes_nothing"]


def test_what_is_refused_is_what_is_older_than_the_oldest(prove: Any) -> None:
    data = json.loads(Path(prove.DATA).read_text(encoding="utf-8"))
    for spec, first in (("helium", OLDEST), ("nemotron_h", "4.0.0"), ("deepseek_v3", "4.2.0")):
        oldest = prove.VERSIONS.index(first)
        for number, version in enumerate(prove.VERSIONS):
            assert bool(data[version]["refused"][spec]) == (number < oldest), (spec, version)
