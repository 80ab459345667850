"""The plan: every decision about what to emit, made before any text.

`expand` replaces shapes by what they stand for and checks the result against the catalogue of
TransformerLens; `make_plan` decides the rest. A plan is frozen, knows nothing of files or
formatting, and is all that the templates and `verify` see.
"""

from adaptergen.plan.make import make_plan
from adaptergen.plan.model import Plan

__all__ = ["Plan", "make_plan"]
