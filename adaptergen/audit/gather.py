"""From a path to all that is found there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from adaptergen.audit.gaps import gap_findings
from adaptergen.audit.model import Finding, Source
from adaptergen.audit.registries import registry_findings
from adaptergen.audit.unreached import unreached_findings
from adaptergen.catalogue.extract import of_checkout
from adaptergen.catalogue.library import Library
from adaptergen.catalogue.model import CatalogueError
from adaptergen.catalogue.source_tree import locate


@dataclass(frozen=True)
class Audit:
    """The findings in one tree, in the order of files and lines."""

    root: Path
    version: str
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """1 with findings."""
        return 1 if self.findings else 0


def audit(path: Path) -> Audit:
    """Look at the TransformerLens at `path`. Raises CatalogueError if there is none."""
    package = locate(path)
    catalogue = of_checkout(package)
    source = Source(package.parent, catalogue, Library(package))
    try:
        found = [
            *registry_findings(source), *unreached_findings(source), *gap_findings(source),
        ]  # fmt: skip
    except (SyntaxError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(
            f"A registry of {package} cannot be read: {error}.",
            "Take a clean copy of TransformerLens.",
        ) from error
    found.sort(key=lambda finding: finding.problem.sort_key)
    return Audit(package.parent, catalogue.tl_version, tuple(found))
