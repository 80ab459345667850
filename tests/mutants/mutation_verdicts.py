"""What the emitted tests say of an adapter, and what `verify` does: two verdicts in one process.

Both run as they are, up to their first failure: the classes of the emitted test files, test by
test, and the tiny tier of `verify`, with its look at paths before anything is wrapped. What both
get ready-made are Hugging Face's models and answers, which no mistake in an adapter changes.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from types import ModuleType
from typing import Any
from unittest.mock import patch

import transformers

import adaptergen.contract
from adaptergen.contract import ModelReport, models
from adaptergen.contract.reference import Work
from adaptergen.runtime import install
from adaptergen.verify import tiers as tier

_ADAPTERS = "transformer_lens.model_bridge.supported_architectures"
_TESTS = "tests.integration.model_bridge"

adapter_file = f"{_ADAPTERS.replace('.', '/')}/{{}}.py".format
tiny_test_file = f"{_TESTS.replace('.', '/')}/test_{{}}_tiny.py".format
unit_test_file = "tests/unit/model_bridge/supported_architectures/test_{}_adapter.py".format


class HFAnswers:
    """Tiny models of Hugging Face and what they compute, by all that they are made of."""

    def __init__(self) -> None:
        self._models: dict[Any, Any] = {}
        self._answers: dict[Any, Any] = {}
        self._made: list[tuple[Any, Any]] = []
        self._tiny_model, self._take_reference = models.tiny_model, models.take_reference
        for module, name in ((models, "tiny_model"), (tier, "tiny_model")):
            setattr(module, name, self.tiny_model)
        models.take_reference = self.take_reference

    def prepare(self, tables: Any) -> None:
        """Have the models of an adapter run, for all forks."""
        for branch in tables.configs(transformers.__version__):
            with models.undisturbed():
                model = self.tiny_model(tables, branch)
                work = Work.of_tiny(model.config.vocab_size, branch == "default")
                self.take_reference(model, tables.blocks, work)

    def tiny_model(self, tables: Any, branch: str = "default") -> Any:
        """In place of the contract's."""
        fields = {**tables.config, **tables.branches.get(branch, {})}
        key = tables.architecture, repr(fields)
        if key not in self._models:
            self._models[key] = self._tiny_model(tables, branch)
        model = copy.deepcopy(self._models[key])
        self._made.append((model, key))
        return model

    def take_reference(self, model: Any, blocks: str, work: Work) -> Any:
        """In place of the contract's."""
        made_of = next((key for one, key in self._made if one is model), None)
        if made_of is None:
            return self._take_reference(model, blocks, work)
        key = made_of, blocks, work.uncached, work.new_tokens
        if key not in self._answers:
            self._answers[key] = self._take_reference(model, blocks, work)
            # Wrapped is a model that has run.
            self._models[made_of] = copy.deepcopy(model)
        return self._answers[key]


def emitted(module: str, files: Mapping[str, str]) -> str:
    """The first emitted test of a tree of files that fails; nothing if none does."""
    install()
    try:
        sys.modules[f"{_TESTS}.adapter_contract"] = adaptergen.contract
        _load(f"{_ADAPTERS}.{module}", files[adapter_file(module)])
        tiny = _load(f"{_TESTS}.test_{module}_tiny", files[tiny_test_file(module)])
        unit = _load(f"test_{module}_adapter", files[unit_test_file(module)])
    except Exception as error:
        return f"import: {type(error).__name__}"
    for tier_name, tests in (("unit", unit), ("tiny", tiny)):
        for name, test in _tests(tests):
            try:
                test()
            except Exception:
                return f"{tier_name}: {name}"
    return ""


def _load(name: str, text: str) -> ModuleType:
    module = sys.modules[name] = ModuleType(name)
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module


class _Metafunc:
    """What `pytest_generate_tests` gets of pytest, as far as the contract asks."""

    def __init__(self, function: Any) -> None:
        self.fixturenames = list(inspect.signature(function).parameters)
        self.rows: list[list[dict[str, Any]]] = []

    def parametrize(self, names: str, values: Any, ids: Any = None) -> None:
        """Note the arguments of each test."""
        keys = [name.strip() for name in names.split(",")]
        rows = [dict(zip(keys, row if len(keys) > 1 else (row,), strict=True)) for row in values]
        if keys[0] in self.fixturenames:
            self.rows.append(rows)


def _tests(module: ModuleType) -> Iterator[tuple[str, Callable[[], None]]]:
    """The tests that pytest finds in a module, with their arguments, in its order."""
    for cls in [one for name, one in vars(module).items() if name.startswith("Test")]:
        for name in [name for name in dir(cls) if name.startswith("test_")]:
            one = cls()
            function = getattr(one, name)
            metafunc = _Metafunc(function)
            one.pytest_generate_tests(metafunc)
            for row in product(*metafunc.rows):
                arguments = {key: value for part in row for key, value in part.items()}
                shown = "-".join(map(str, arguments.values())) or name

                def test(function: Any = function, arguments: Any = arguments) -> None:
                    function(**arguments)

                yield shown, test


class _Found(BaseException):
    """A finding, which ends the run: no guard of a check takes it for an error."""


class _First(list[Any]):
    def append(self, finding: Any) -> None:
        raise _Found(f"{finding.check}: {finding.what}")

    def extend(self, findings: Any) -> None:
        for finding in findings:
            self.append(finding)


def verify(make: Callable[[], Any]) -> str:
    """The first finding of `verify` on the target that is made; nothing if there is none."""
    with patch.object(tier, "ModelReport", lambda name: ModelReport(name, findings=_First())):
        try:
            tier.tiny(make())
        except _Found as found:
            return str(found)
        except Exception as error:  # the command ends with it
            return f"ends with {type(error).__name__}"
    return ""
