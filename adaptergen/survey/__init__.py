"""Every model class of a task of transformers, drafted and measured; the table of what holds."""
