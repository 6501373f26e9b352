import httpcore
import pytest

from app.kaseya import SERVERS, Hosts, KaseyaHostRefusedError, is_public
from app.kaseya.transport.connect import CheckedBackend

REFUSED = [
    "http://api.bms.kaseya.com", "ftp://api.bms.kaseya.com",
    "file:///etc/passwd", "gopher://127.0.0.1", "//api.bms.kaseya.com",
    "https:api.bms.kaseya.com", "https:/api.bms.kaseya.com", "https:///x", "", "https://", "api.bms.kaseya.com",
    "https://127.0.0.1", "https://127.1", "https://127.0.1", "https://2130706433", "https://017700000001", "https://0x7f000001",
    "https://0x7f.0.0.1", "https://0177.0.0.1", "https://127.0.0.01", "https://0", "https://0.0.0.0", "https://0x0",
    "https://10.0.0.1", "https://172.16.0.1", "https://192.168.1.1", "https://100.64.0.1", "https://100.100.100.200",
    "https://169.254.169.254", "https://169.254.1.1", "https://2852039166", "https://0xa9fea9fe", "https://168.63.129.16",
    "https://192.0.0.1", "https://198.18.0.1", "https://224.0.0.1", "https://240.0.0.1", "https://255.255.255.255",
    "https://[::1]",
    "https://[::]", "https://[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]", "https://[::ffff:169.254.169.254]",
    "https://[::127.0.0.1]", "https://[64:ff9b::7f00:1]", "https://[64:ff9b::a9fe:a9fe]", "https://[64:ff9b:1::a00:1]",
    "https://[2002:7f00:1::]", "https://[2001:0:1::1]", "https://[fe80::1]", "https://[fe80::1%25eth0]", "https://[fc00::1]",
    "https://[fd00:ec2::254]", "https://[ff02::1]", "https://[2001:db8::1]", "https://[::1", "https://[1.2.3.4]",
    "https://localhost", "https://LOCALHOST", "https://x.localhost", "https://localhost.", "https://8.8.8.8.",
    "https://user@8.8.8.8", "https://u:p@8.8.8.8", "https://8.8.8.8@127.0.0.1", "https://8.8.8.8#@x", "https://8.8.8.8#",
    "https://8.8.8.8\\@127.0.0.1", "https://8.8.8.8\\.x",
    "https:\\\\8.8.8.8", "https://8.8.8.8\n", "https://8.8.8.8\r\nHost: x",
    "https://8.8.8.8\t", " https://8.8.8.8", "https://8.8.8.8 ",
    "https://8.8\x00.8.8", "https://8.8.8.8/a b", "https://8.8.8.8:0",
    "https://8.8.8.8:", "https://8.8.8.8:99999", "https://8.8.8.8:x", "https://①②⑦.0.0.1", "https://127。0。0。1", "https://bücher.example",
    "https://a..b",
    "https://-a.example", "https://a_b.example", "https://%31%32%37.0.0.1", "https://example.0x7f", "https://1.2.3",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
def test_no_spelling_of_a_forbidden_address_passes(url: str) -> None:
    with pytest.raises(KaseyaHostRefusedError):
        Hosts().check_public_url(url)
    with pytest.raises(KaseyaHostRefusedError):
        Hosts().check_base_url(url)


@pytest.mark.parametrize(
    "url", ["https://8.8.8.8/q.pdf?a=b", "https://files.example/q", "https://[2606:4700::1111]:8443/"]
)
def test_public_https_addresses_pass(url: str) -> None:
    assert Hosts().check_public_url(url) == url


@pytest.mark.parametrize("url", SERVERS.values())
def test_every_published_server_is_allowed(url: str) -> None:
    assert Hosts().check_base_url(url + "/") == url


@pytest.mark.parametrize(
    "url",
    ["https://api.bms.kaseya.com.", "https://api.bms.kaseya.com:444", "https://evil.example", "https://xapi.bms.kaseya.com",
     "https://api.bms.kaseya.com.evil.example", "https://api.bms.kaseya.com?x", "http://127.0.0.1:9001"],
)  # fmt: skip
def test_a_base_url_beyond_the_allow_list_is_refused(url: str) -> None:
    with pytest.raises(KaseyaHostRefusedError):
        Hosts(frozenset({"127.0.0.1:9000"})).check_base_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000", "https://bms.msp.example"]
)
def test_allowed_entries_pass_and_loopback_ones_may_be_plain_http(url: str) -> None:
    allowed = frozenset({"127.0.0.1:9000", "[::1]:9000", "localhost:9000", "bms.msp.example"})
    assert Hosts(allowed).check_base_url(url) == url


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(KaseyaHostRefusedError) as caught:
        Hosts().check_public_url("https://user:hunter2@files.example/x?key=hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_translated_address_is_as_public_as_the_one_inside() -> None:
    assert is_public("64:ff9b::808:808")
    assert not is_public("64:ff9b::a00:1")


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:10.0.0.1"]])
async def test_a_name_that_leads_inside_is_refused_when_connecting(addresses: list[str]) -> None:
    async def rebound(host: str, port: int) -> list[str]:
        return addresses

    with pytest.raises(KaseyaHostRefusedError):
        await CheckedBackend(Hosts(), resolve=rebound).connect_tcp("files.example", 443, timeout=1)


async def test_a_loopback_entry_that_leads_elsewhere_is_refused() -> None:
    async def rebound(host: str, port: int) -> list[str]:
        return ["8.8.8.8"]

    backend = CheckedBackend(Hosts(frozenset({"localhost:9000"})), resolve=rebound)
    with pytest.raises(KaseyaHostRefusedError):
        await backend.connect_tcp("localhost", 9000, timeout=1)


async def test_a_name_without_address_is_a_failed_connect() -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(httpcore.ConnectError):
        await CheckedBackend(Hosts(), resolve=nowhere).connect_tcp("files.example", 443, timeout=1)
