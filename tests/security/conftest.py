"""The API through ASGI for these tests, too: a stored connection with its secret, and whoever calls."""

from tests.api.conftest import anyone, app, drain, house, link, operator, other_link, settings, state

__all__ = ["anyone", "app", "drain", "house", "link", "operator", "other_link", "settings", "state"]
