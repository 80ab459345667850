"""What is wrong in the registries of a TransformerLens, found by reading and never by importing it.

`audit` gathers findings; each that can be mended carries how (`Mend`), by the same engine as a
contribution.
"""

from adaptergen.audit.fix import fixed
from adaptergen.audit.gather import Audit, audit
from adaptergen.audit.model import Finding
from adaptergen.audit.report import as_github, as_record, as_text

__all__ = ["Audit", "Finding", "as_github", "as_record", "as_text", "audit", "fixed"]
