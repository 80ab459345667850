"""Measures whether an adapter keeps what its spec promises, on models of transformers.

The adapter is the text that a build would write, imported without touching the installed one;
the promises come from the same plan. A tier says what it is measured on (`tiers`), a check what
is measured (`checks`); what disagrees is a `Finding` with its layer, hook and line in the spec.

Nothing here but `command` and what it needs at once may be imported without torch.
"""
