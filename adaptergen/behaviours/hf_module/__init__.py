"""Modules and blocks of Hugging Face of which only what goes in and comes out is known."""
