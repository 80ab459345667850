"""State-space mixers, whose states and effective attention can be computed from hooks."""
