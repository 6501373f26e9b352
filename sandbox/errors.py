"""How a call to the sandbox goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.shapes import Problem


class RefusedError(Exception):
    """BMS understands the call and says no. `is_violation` marks what no careful client would have sent."""

    def __init__(self, message: str, *, is_violation: bool = False, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.is_violation = is_violation
        self.problems = tuple(problems)


class MissingError(RefusedError):
    """The record that the path names does not exist (any more)."""


class SignInError(Exception):
    """No token, an unknown or expired one, or a sign-in that was refused."""

    def __init__(self, message: str, *, is_sign_in: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_sign_in = is_sign_in


class ConnectionDroppedError(ConnectionError):
    """The connection ends without an answer; only seen when the sandbox runs inside the caller's process."""
