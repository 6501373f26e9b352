"""What stops a page: each is shown as a page of its own that says what happened and how to mend it."""

from datetime import timedelta


class PageError(Exception):
    """An answer that is not the page asked for. The message says what happened, ``remedy`` what to do."""

    def __init__(
        self, status: int, title: str, detail: str, remedy: str, *, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.remedy = remedy
        self.retry_after = retry_after


class SignInNeededError(Exception):
    """Nobody is signed in, or not any more."""


def not_found(what: str = "page") -> PageError:
    """What does not exist, and what this key may not see, look the same."""
    detail = f"There is no such {what}, or the key that you signed in with may not see it."
    return PageError(404, "Nothing here", detail, "Go back to your connections and start from there.")
