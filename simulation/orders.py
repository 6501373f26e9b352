"""Weather to order: what goes wrong with which call is said one by one, instead of drawn."""

import random
import re
from dataclasses import dataclass

from simulation.wire import Weather


@dataclass(slots=True)
class Order:
    """A fault for the next calls of this method whose path has ``path`` in it; ``seconds`` for those that take time."""

    kind: str
    method: str = "POST"
    path: str = ""
    seconds: float = 1
    times: int = 1


class OrderedWeather(Weather):
    """Nothing goes wrong but what was ordered; the oldest order that fits a call is its fault."""

    def __init__(self, *orders: Order) -> None:
        super().__init__(random.Random(0), 0, frozenset())
        self.orders = list(orders)
        self._seconds = 0.0

    def fault(self, method: str, path: str) -> str | None:
        """The fault that was ordered for this call."""
        for order in self.orders:
            if order.method == method and re.search(order.path, path):
                order.times -= 1
                if not order.times:
                    self.orders.remove(order)
                self._seconds = order.seconds
                return order.kind
        return None

    def seconds(self, kind: str) -> float:  # noqa: ARG002 - the order says it
        """As ordered."""
        return self._seconds

    def calm(self) -> None:
        """Whatever was ordered and did not happen yet never will."""
        self.orders.clear()
