"""Mutated requests by the million, against what decides whom to trust."""
