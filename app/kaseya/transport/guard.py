"""Which addresses we may talk to: decided from text and numbers alone, before and at the moment of connecting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from app.kaseya.errors import KaseyaHostRefusedError

SERVERS = {
    "us": "https://api.bms.kaseya.com",
    "emea": "https://api.bmsemea.kaseya.com",
    "apac": "https://api.bmsapac.kaseya.com",
    "vorex": "https://api.vorexlogin.com",
    "psa": "https://api.psa.pulseway.com",
}
"""The published BMS servers by the name of their region or brand."""

PUBLISHED = frozenset(url.removeprefix("https://") for url in SERVERS.values())

_PORTS = {"https": 443, "http": 80}
_SUSPECT = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]")
_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_NAME = 253

_NOT_PUBLIC_V4 = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",  # this network; 0.0.0.0 reaches the machine itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared space of carriers; one cloud keeps its metadata there
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent, on an address that looks public
        "169.254.0.0/16",  # link-local: where most clouds keep their metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # retired 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(net)
    for net in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries any IPv4 address inside
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


class Origin(NamedTuple):
    """Scheme, host and port that an address stands for; an IPv6 host has no brackets here."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Hosts:
    """The BMS hosts we may talk to: the published ones, and those allowed by whoever runs the service.

    An entry is `host` or `host:port`. One that names this machine (localhost, 127.0.0.0/8, [::1]) with its port
    may be plain http.
    """

    allowed: frozenset[str] = frozenset()

    def check_base_url(self, url: str) -> str:
        """Return the base URL of a BMS API without a trailing slash; raise KaseyaHostRefusedError with the reason."""
        origin = parse_origin(url)
        if urlsplit(url).query or "?" in url:
            raise _refused(url, "a base URL has no query")
        if not self._is_listed(origin):
            raise _refused(url, f"{_authority(origin)} is neither a published BMS server nor an allowed host")
        self._check_scheme(url, origin)
        return url.rstrip("/")

    def check_public_url(self, url: str) -> str:
        """Return the URL if it may be fetched or posted to: https anywhere public, or an allowed loopback entry."""
        self._check_scheme(url, parse_origin(url))
        return url

    def is_loopback_entry(self, host: str, port: int) -> bool:
        """Tell whether this host and port are this machine and were allowed by name."""
        host = host.strip("[]").lower()
        return names_loopback(host) and any(_same_place(entry, host, port) for entry in self.allowed)

    def _is_listed(self, origin: Origin) -> bool:
        scheme, host, port = origin
        if names_loopback(host):
            return self.is_loopback_entry(host, port)
        return any(_same_place(entry, host, port) for entry in PUBLISHED | self.allowed) and scheme in _PORTS

    def _check_scheme(self, url: str, origin: Origin) -> None:
        scheme, host, port = origin
        if self.is_loopback_entry(host, port):
            return
        if scheme != "https":
            raise _refused(url, "only https is allowed")
        if (address := _literal(host)) is not None and not is_public(address):
            raise _refused(url, "its address is not on the public internet")
        if names_loopback(host):
            raise _refused(url, "it names this machine")


def parse_origin(url: str) -> Origin:
    """Read an address strictly; whatever two readers could understand differently is refused.

    Raises KaseyaHostRefusedError.
    """
    if _SUSPECT.search(url):
        raise _refused(url, "it contains blanks, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise _refused(url, "it is not a well-formed address") from None
    if parts.scheme not in _PORTS or not url.lower().startswith(f"{parts.scheme}://"):
        raise _refused(url, "it does not start with https://")
    if "@" in parts.netloc:
        raise _refused(url, "it contains a user name or password")
    if "#" in url:
        raise _refused(url, "it contains a fragment")
    if port == 0 or parts.netloc.endswith(":"):
        raise _refused(url, "its port is not a port")
    _check_host(url, host, bracketed="[" in parts.netloc)
    return Origin(parts.scheme, host, _PORTS[parts.scheme] if port is None else port)


def is_public(address: str | IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is one on the public internet, looking through IPv4 addresses inside IPv6 ones.

    The table is our own: the standard library's answer differs between Python versions.
    """
    if isinstance(address, str):
        try:
            address = ip_address(address)
        except ValueError:
            return False
    if isinstance(address, IPv4Address):
        return not any(address in net for net in _NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _PUBLIC_V6 and not any(address in net for net in _NOT_PUBLIC_V6)


def names_loopback(host: str) -> bool:
    """Tell whether a host is this machine by its very spelling."""
    address = _literal(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _check_host(url: str, host: str, *, bracketed: bool) -> None:
    if bracketed:
        if not isinstance(_literal(host), IPv6Address) or "%" in host:
            raise _refused(url, "what stands in brackets is not a plain IPv6 address")
        return
    if not host.isascii():
        raise _refused(url, "its host has letters beyond ASCII; write it in its xn-- form")
    if len(host) > _MAX_NAME or not _NAME.fullmatch(host):
        raise _refused(url, "its host is not a plain host name")
    if _NUMBER_LABEL.fullmatch(host.rpartition(".")[2]) and not isinstance(_literal(host), IPv4Address):
        raise _refused(url, "its host is a number in an unusual spelling")


def _same_place(entry: str, host: str, port: int) -> bool:
    """Compare an allow-list entry with a place; an entry without a port means https's own."""
    name, colon, given = entry.strip().lower().rpartition(":")
    if not colon or given.endswith("]") or not given.isdecimal():
        name, given = entry.strip().lower(), "443"
    return name.strip("[]") == host and int(given) == port


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _authority(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == _PORTS[origin.scheme] else f"{host}:{origin.port}"


def _refused(url: str, reason: str) -> KaseyaHostRefusedError:
    """Quote the address without what could be a password in it."""
    shown = ascii(url.partition("?")[0].rpartition("@")[2])[1:-1][:120]
    return KaseyaHostRefusedError(f"The address {shown} is refused: {reason}.")
