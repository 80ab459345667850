"""A plan is data: bound to a model in memory or emitted, it makes the same bridge."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[2]
SPECS = sorted(path.stem for path in (ROOT / "specs").glob("*.yaml"))
#: Attention by a function; fused projections and learned positions; layers of several kinds.
DRAFTS = ("LlamaForCausalLM", "GPT2LMHeadModel", "BambaForCausalLM")


def plan_of(name: str, folder: Path) -> tuple[Any, Path]:
    """The plan of a committed spec or of the draft of a class, and the file of the spec."""
    import transformers

    from adaptergen.draft.draft import measured_draft, small_model
    from adaptergen.generate import plan

    if name in SPECS:
        path = ROOT / "specs" / f"{name}.yaml"
        return plan(path), path
    draft = measured_draft(*small_model(getattr(transformers, name), {}))
    for file, text in draft.files().items():
        path = folder / "specs" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return draft.plan, folder / "specs" / f"{draft.module}.yaml"


def imported(path: Path) -> Any:
    """The module in a file that a build wrote."""
    spec = importlib.util.spec_from_file_location(f"emitted_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def emitted_tables(path: Path) -> Any:
    """The tables in an emitted test, without what the test imports."""
    from adaptergen.contract import AdapterTables, HookContract, LayerTable

    (value,) = (
        statement.value
        for statement in ast.parse(path.read_text("utf-8")).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "TABLES"
    )
    names = {one.__name__: one for one in (AdapterTables, HookContract, LayerTable)}
    return eval(compile(ast.Expression(value), str(path), "eval"), names)


@pytest.mark.parametrize("name", [*SPECS, *DRAFTS])
def test_bound_in_memory_and_emitted(name: str, tmp_path: Path) -> None:
    import torch

    import adaptergen
    from adaptergen.contract.models import tiny_model, wrap
    from adaptergen.draft.draft import bind
    from adaptergen.generate import generate
    from adaptergen.inspection.runs import tokens
    from adaptergen.output.transaction import build
    from adaptergen.render.tables import adapter_tables
    from adaptergen.runtime import wanted

    plan, path = plan_of(name, tmp_path)
    build(tmp_path / "out", [generate(path), wanted()], write=True, force=False)
    home = tmp_path / "out" / plan.spec.module
    (adapter,) = home.glob(f"transformer_lens/**/{plan.spec.module}.py")
    (tests,) = home.glob("tests/integration/**/*_tiny.py")
    tables = emitted_tables(tests)

    bound = bind(tiny_model(tables), plan)
    emitted = wrap(
        plan.spec.architecture,
        getattr(imported(adapter), plan.adapter_class),
        tiny_model(tables),
    )
    # Names and aliases: an alias is a name that leads to the hook of another.
    names = {alias: hook.name for alias, hook in emitted.hook_dict.items()}
    assert {alias: hook.name for alias, hook in bound.hook_dict.items()} == names
    at_once = adaptergen.bridge(tiny_model(tables))
    assert {alias: hook.name for alias, hook in at_once.hook_dict.items()} == names
    of_plan = adapter_tables(plan)
    for part in ("model", "shared"):
        assert getattr(of_plan, part).hooks == getattr(tables, part).hooks
    assert {kind: one.hooks for kind, one in of_plan.kinds.items()} == {
        kind: one.hooks for kind, one in tables.kinds.items()
    }
    ids = tokens(bound.original_model)
    (logits, held), (expected, wanted_held) = (one.run_with_cache(ids) for one in (bound, emitted))
    assert torch.equal(logits, expected)
    assert held.keys() == wanted_held.keys() and len(held) > 20
    assert [name for name in held if not torch.equal(held[name], wanted_held[name])] == []
