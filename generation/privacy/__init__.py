"""Differential privacy: what is spent, what is released, and models that keep to it."""
