"""Trials in the computer."""
