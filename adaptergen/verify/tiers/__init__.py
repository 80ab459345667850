"""What is measured on: tiny models, real widths, whole configurations, real checkpoints."""
