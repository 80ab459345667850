"""The residual stream: what blocks add to it."""
