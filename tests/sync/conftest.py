"""Rules are proved through the front door: the fixtures of the whole service at work."""

from tests.fixtures.engine import contract, engine

__all__ = ["contract", "engine"]
