"""The catalogue: what one TransformerLens version offers an adapter.

Component classes with their keywords, aliases and hook points; config fields; attributes of
adapters; the places where an architecture is registered. Extracted from the source text of
TransformerLens, committed per version as JSON, and loaded without TransformerLens, torch or
transformers. No other package lists classes, keywords, hooks or files of TransformerLens.
"""
