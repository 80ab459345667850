"""Attention that Hugging Face computes, with hooks on its steps."""
