"""Generates TransformerLens architecture adapters from declarative specs."""

__version__ = "0.1.0"
