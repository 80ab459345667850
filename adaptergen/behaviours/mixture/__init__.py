"""Mixtures of experts whose router makes logits from its weight."""
