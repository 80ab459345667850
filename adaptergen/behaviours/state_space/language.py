"""The component that state-space analyses need."""

from __future__ import annotations

from adaptergen.behaviours import RuntimeComponent

COMPONENTS = (RuntimeComponent("StateSpaceMixerBridge", extends="SSM2MixerBridge"),)
