"""The one door to BMS, and the only place that speaks HTTP."""

from app.kaseya.transport.door import Transport
from app.kaseya.transport.gate import Answer, Call, CallGate, OpenGate
from app.kaseya.transport.guard import PUBLISHED, SERVERS, Hosts, is_public
from app.kaseya.transport.tokens import Credentials, MemoryTokens, Token, TokenStore
from app.kaseya.transport.totp import totp
from app.kaseya.transport.wire import Fetched, FetchError, FetchFailedError, FetchRefusedError, Wire

__all__ = [
    "PUBLISHED",
    "SERVERS",
    "Answer",
    "Call",
    "CallGate",
    "Credentials",
    "FetchError",
    "FetchFailedError",
    "FetchRefusedError",
    "Fetched",
    "Hosts",
    "MemoryTokens",
    "OpenGate",
    "Token",
    "TokenStore",
    "Transport",
    "Wire",
    "is_public",
    "totp",
]
