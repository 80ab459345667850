"""Norms, and what analyses take for them."""
