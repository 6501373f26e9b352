"""How often lists may be read anew: freely while little happens, every few minutes while much does."""

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta


class Allowance:
    """A bucket of reads for each list: full at first, and given one back every so often.

    It is this process's own. Replicas share what they have read, so that each of them reads less than it may.
    """

    def __init__(self, clock: Callable[[], datetime], *, at_a_stretch: int, every: timedelta) -> None:
        """``at_a_stretch`` reads are in a full bucket, which gets one back ``every`` so often."""
        self._clock = clock
        self._every = every
        self._longest_debt = every * (at_a_stretch - 1)
        self._full_at: dict[Hashable, datetime] = {}

    def take(self, subject: Hashable) -> bool:
        """Take one read of a list out of its bucket; False where none is left."""
        now = self._clock()
        full_at = max(self._full_at.get(subject, now), now)
        if full_at - now > self._longest_debt:
            return False
        self._full_at[subject] = full_at + self._every
        return True
