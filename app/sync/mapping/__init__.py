"""Pure mapping: what a quote and a connection's settings want BMS to hold."""

from app.sync.mapping.desired import Desired, DesiredLine, DesiredOpportunity, PersonWanted, desire
from app.sync.mapping.warnings import QuoteWarning, renew
from app.sync.mapping.words import fold, marker

__all__ = [
    "Desired",
    "DesiredLine",
    "DesiredOpportunity",
    "PersonWanted",
    "QuoteWarning",
    "desire",
    "fold",
    "marker",
    "renew",
]
