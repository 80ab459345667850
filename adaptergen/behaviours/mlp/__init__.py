"""MLPs, gated or not."""
