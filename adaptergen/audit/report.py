"""What an audit says: to people, to GitHub, to programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from adaptergen.audit.gather import Audit
from adaptergen.error_codes import error_codes
from adaptergen.problems import annotation
from adaptergen.records import AuditRecord, problem_entry


def as_text(found: Audit) -> Iterator[str]:
    """One line a finding, then how many there are of each code."""
    for finding in found.findings:
        problem, place = finding.problem, finding.problem.location
        where = f"{place.path}:{place.line}" if place else "?"
        mend = " [--fix]" if finding.mend else ""
        yield f"{where}: {problem.code}: {problem.message}{mend}"
    counts = Counter(finding.code for finding in found.findings)
    if counts:
        yield ""
    for code, count in sorted(counts.items()):
        fixable = sum(bool(one.mend) for one in found.findings if one.code == code)
        title = error_codes()[code].title.lower()
        yield f"{count:5} {code}, {fixable} of them --fix can mend: {title}"


def as_github(found: Audit) -> Iterator[str]:
    """Annotations of a workflow run, one a finding."""
    for finding in found.findings:
        problem, place = finding.problem, finding.problem.location
        where = (place.path, place.line) if place else ()
        yield annotation("error", f"{problem.message}; {problem.fix}", problem.code, *where)


def as_record(found: Audit) -> AuditRecord:
    """The same for programs."""
    return AuditRecord(
        transformer_lens=found.version,
        exit_code=found.exit_code,
        counts=dict(sorted(Counter(finding.code for finding in found.findings).items())),
        findings=[
            {
                **problem_entry(finding.problem),
                "subject": finding.subject,
                "fixable": finding.mend is not None,
            }
            for finding in found.findings
        ],
    )
