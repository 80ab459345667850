"""Specs that are drafted from an observed model, and bridges that are made of a draft."""
