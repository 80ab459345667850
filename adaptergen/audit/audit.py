"""From a TransformerLens to the findings in it, their fixes, and what is printed of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adaptergen.audit.findings import AuditedTree, Finding
from adaptergen.audit.registries import gap_findings, registry_findings
from adaptergen.audit.unreached import unreached_findings
from adaptergen.catalogue.extract import of_checkout
from adaptergen.catalogue.library import Library, locate
from adaptergen.catalogue.model import CatalogueError
from adaptergen.error_codes import error_codes
from adaptergen.output.compare import Entry, State
from adaptergen.output.files import read_file
from adaptergen.output.transaction import put, recover
from adaptergen.problems import annotation
from adaptergen.records import AuditRecord, problem_entry


@dataclass(frozen=True)
class Audit:
    """The findings in one source tree, in the order of files and lines."""

    root: Path
    version: str
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """1 with findings."""
        return 1 if self.findings else 0

    @property
    def counts(self) -> dict[str, int]:
        """How many findings each code has, sorted by code."""
        return dict(sorted(Counter(finding.code for finding in self.findings).items()))


def audit(path: Path) -> Audit:
    """Audit the TransformerLens at `path`. Raises CatalogueError if there is none."""
    package = locate(path)
    catalogue = of_checkout(package)
    tree = AuditedTree(package.parent, catalogue, Library(package))
    try:
        found = [*registry_findings(tree), *unreached_findings(tree), *gap_findings(tree)]
    except (SyntaxError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(
            f"A registry of {package} cannot be read: {error}.",
            "Take a clean copy of TransformerLens.",
        ) from error
    found.sort(key=lambda finding: finding.problem.sort_key)
    return Audit(package.parent, catalogue.tl_version, tuple(found))


def fixed(found: Audit) -> tuple[Entry, ...]:
    """Fix what can be fixed, all or nothing; returns the changed files."""
    recover(found.root)
    files: dict[str, tuple[bytes, bytes]] = {}
    for finding in found.findings:
        if finding.fix is not None:
            path, change = finding.fix
            old, new = files.get(path) or ((read_file(found.root, path) or b""),) * 2
            files[path] = old, change(new)
    entries = tuple(
        Entry(path, State.CHANGED, old, new)
        for path, (old, new) in sorted(files.items())
        if old != new
    )
    if entries:
        put(found.root, entries)
    return entries


def as_text(found: Audit) -> Iterator[str]:
    """One line a finding, then how many there are of each code."""
    for finding in found.findings:
        problem, place = finding.problem, finding.problem.location
        where = f"{place.path}:{place.line}" if place else "?"
        fix = " [--fix]" if finding.fix else ""
        yield f"{where}: {problem.code}: {problem.message}{fix}"
    if found.findings:
        yield ""
    for code, count in found.counts.items():
        fixable = sum(bool(one.fix) for one in found.findings if one.code == code)
        title = error_codes()[code].title.lower()
        yield f"{count:5} {code}, {fixable} fixable with --fix: {title}"


def as_github(found: Audit) -> Iterator[str]:
    """Annotations of a workflow run, one a finding."""
    for finding in found.findings:
        problem, place = finding.problem, finding.problem.location
        where = (place.path, place.line) if place else ()
        yield annotation("error", f"{problem.message}; {problem.fix}", problem.code, *where)


def as_record(found: Audit) -> AuditRecord:
    """The findings for programs."""
    return AuditRecord(
        transformer_lens=found.version,
        exit_code=found.exit_code,
        counts=found.counts,
        findings=[
            {
                **problem_entry(finding.problem),
                "subject": finding.subject,
                "fixable": finding.fix is not None,
            }
            for finding in found.findings
        ],
    )
