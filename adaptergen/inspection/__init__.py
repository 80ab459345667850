"""Builds tiny models of transformers, runs them, and watches; `observe` has the functions."""
