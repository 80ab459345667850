"""The base classes of an adapter's tests. A test class has the adapter and its tables, no more.

    class TestHelium(AdapterContract):
        adapter_class, tables = HeliumArchitectureAdapter, TABLES

What needs torch is imported when a test is collected, so that tables can be imported without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from .findings import Finding, ModelReport
from .tables import AdapterTables

if TYPE_CHECKING:
    from .models import ModelUnderTest


class StructureContract:
    """What an adapter maps, binds and carries. Needs no model."""

    adapter_class: ClassVar[Any]
    tables: ClassVar[AdapterTables]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """A test for each check."""
        from .structure import CHECKS

        metafunc.parametrize("check", CHECKS)

    def test_structure(self, check: str) -> None:
        """One check."""
        from .structure import CHECKS, Structure

        _assert_none(CHECKS[check](Structure(self.tables, self.adapter_class)))


class AdapterContract:
    """The adapter on tiny models: what HF computes, every hook, edits, generation, weights."""

    adapter_class: ClassVar[Any]
    tables: ClassVar[AdapterTables]
    _models: ClassVar[dict[Any, ModelUnderTest]] = {}

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """A test for each check of each tiny model that this release of transformers can run."""
        import transformers

        from .checks import checks_of_branch

        if "check" in metafunc.fixturenames:
            branches = self.tables.configs(transformers.__version__)
            pairs = [
                (branch, check)
                for branch in branches
                for check in checks_of_branch(self.tables, branch)
            ]
            ids = [f"{branch}-{check.replace(' ', '_')}" for branch, check in pairs]
            metafunc.parametrize("branch, check", pairs, ids=ids)

    def test_fields(self) -> None:
        """HF knows the fields of the tiny models."""
        from .checks_model import check_fields

        _assert_none(check_fields(self.tables))

    def test_contract(self, branch: str, check: str) -> None:
        """One check of one model."""
        from .checks import checks_of_branch
        from .models import undisturbed

        with undisturbed():
            _assert_none(checks_of_branch(self.tables, branch)[check](self._model(branch)))

    def _model(self, branch: str) -> ModelUnderTest:
        """The model of a branch, made once."""
        from .models import ModelUnderTest

        key = (type(self), branch)
        if key not in self._models:
            report = ModelReport(branch)
            self._models[key] = ModelUnderTest.tiny(self.tables, self.adapter_class, branch, report)
        return self._models[key]


def _assert_none(found: Iterable[Finding]) -> None:
    text = "\n".join(map(str, found))
    assert not text, text
