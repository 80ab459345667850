"""YAML files, read with the place of every value: limits, positions, errors in our words."""
