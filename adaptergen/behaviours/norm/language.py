"""The components of norms and projections of each head."""

from __future__ import annotations

from adaptergen.behaviours import RuntimeComponent

COMPONENTS = (
    RuntimeComponent("HeadRMSNormBridge", extends="RMSNormalizationBridge"),
    RuntimeComponent("HeadNormBridge", extends="NormalizationBridge"),
    RuntimeComponent("HeadLinearBridge", extends="LinearBridge"),
)
