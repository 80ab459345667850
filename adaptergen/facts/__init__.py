"""What was observed of a model of transformers, as data. Light: neither torch nor transformers."""

from adaptergen.facts.config import ConfigFacts, ConfigField, Vocabulary
from adaptergen.facts.model import (
    Attention,
    Branch,
    CacheFacts,
    CacheLayer,
    Call,
    Facts,
    Functional,
    Kind,
    Module,
    Parameter,
    Trace,
    Value,
)

__all__ = [
    "Attention",
    "Branch",
    "CacheFacts",
    "CacheLayer",
    "Call",
    "ConfigFacts",
    "ConfigField",
    "Facts",
    "Functional",
    "Kind",
    "Module",
    "Parameter",
    "Trace",
    "Value",
    "Vocabulary",
]
