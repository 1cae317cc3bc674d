"""What is public, and what a URL is: a table of spellings that have led guards astray."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.addresses import GIVEN_OUT, TRANSLATED, plain_address, why_not
from restante.core.errors import AddressRefused
from restante.core.target import DEFAULT_PORTS, MAX_URL, target_of

NOT_PUBLIC = {
    "0.0.0.0": "this network",
    "0.255.255.255": "this network",
    "10.0.0.1": "private use",
    "10.255.255.255": "private use",
    "100.64.0.1": "carrier",
    "100.100.100.200": "carrier",  # a cloud's metadata
    "100.127.255.255": "carrier",
    "127.0.0.1": "this machine",
    "127.255.255.254": "this machine",
    "168.63.129.16": "a cloud's own",
    "169.254.0.1": "link-local",
    "169.254.169.254": "link-local",  # most clouds' metadata
    "169.254.170.2": "link-local",
    "172.16.0.1": "private use",
    "172.31.255.255": "private use",
    "192.0.0.1": "protocol assignments",
    "192.0.0.192": "protocol assignments",  # another cloud's metadata
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4",
    "192.168.0.1": "private use",
    "198.18.0.1": "benchmarks",
    "198.19.255.255": "benchmarks",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",  # broadcast
    "::": "IPv4-compatible",
    "::1": "this machine",
    "::7f00:1": "IPv4-compatible",
    "::127.0.0.1": "IPv4-compatible",
    "::93.184.216.34": "IPv4-compatible",
    "::ffff:127.0.0.1": "this machine",
    "::ffff:7f00:1": "this machine",
    "::ffff:a9fe:a9fe": "link-local",
    "0:0:0:0:0:ffff:10.0.0.1": "private use",
    "0:0:0:0:0:0:0:1": "this machine",
    "::ffff:0:127.0.0.1": "given out to nobody",  # IPv4-translated (RFC 2765)
    "64:ff9b::127.0.0.1": "this machine",
    "64:ff9b::a9fe:a9fe": "link-local",
    "64:ff9b::10.1.2.3": "private use",
    "64:ff9b:1::1": "translation",
    "100::1": "given out to nobody",  # discard only
    "2001::1": "Teredo",
    "2001:0:53aa:64c:0:7bf3:80ff:fffe": "Teredo",
    "2001:2::1": "protocol assignments",
    "2001:10::1": "protocol assignments",
    "2001:20::1": "protocol assignments",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "6to4",
    "2002:5db8:d822::1": "6to4",
    "3fff::1": "documentation",
    "4000::1": "given out to nobody",
    "5f00::1": "given out to nobody",
    "fc00::1": "private use",
    "fd00:ec2::254": "private use",  # metadata over IPv6
    "fe80::1": "link-local",
    "febf::1": "link-local",
    "fec0::1": "private use",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
}

PUBLIC = (
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:93.184.216.34",
    "64:ff9b::93.184.216.34",
)


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_what_is_not_public_is_known_for_what_it_is(text: str) -> None:
    why = why_not(plain_address(text), ())
    assert why is not None
    assert NOT_PUBLIC[text] in why


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_may_be_sent_to(text: str) -> None:
    assert why_not(plain_address(text), ()) is None


@given(st.ip_addresses())
def test_what_the_standard_library_thinks_private_is_never_allowed(
    address: IPv4Address | IPv6Address,
) -> None:
    plain = plain_address(str(address)) if getattr(address, "scope_id", None) is None else address
    bad = not plain.is_global or plain.is_multicast or plain.is_reserved or plain.is_unspecified
    if bad and plain not in TRANSLATED:
        assert why_not(plain, ()) is not None


@given(st.ip_addresses(v=6))
def test_of_ipv6_only_what_is_given_out_is_public(address: IPv6Address) -> None:
    if address not in GIVEN_OUT and address.ipv4_mapped is None and address not in TRANSLATED:
        assert why_not(address, ()) is not None


@given(st.ip_addresses(v=4))
def test_ipv4_inside_ipv6_is_judged_as_ipv4(address: IPv4Address) -> None:
    expected = why_not(address, ())
    assert why_not(plain_address(f"::ffff:{address}"), ()) == expected
    assert why_not(plain_address(f"64:ff9b::{address}"), ()) == expected


def test_what_the_settings_allow_is_allowed_and_no_more() -> None:
    allow = [ip_network("127.0.0.0/8"), ip_network("fd00::/8")]
    for text in ("127.0.0.1", "::ffff:127.9.9.9", "fd12::1"):
        assert why_not(plain_address(text), allow) is None
    for text in ("::1", "10.0.0.1", "169.254.169.254", "fc00::1"):
        assert why_not(plain_address(text), allow) is not None
    everything = [ip_network("0.0.0.0/0")]
    assert why_not(plain_address("169.254.169.254"), everything) is None
    assert why_not(plain_address("::1"), everything) is not None


ONE_SPELLING = "four decimal numbers"
BRACKETS = "in brackets must be an IPv6 address"
SCHEME = "must begin with https:// or http://"
ASCII = "something else than visible ASCII"
USER = "user name or password"
NO_NAME = "neither a name nor an address"
PORT = "port must be a number"
READ = "cannot be read"

REFUSED_SPELLINGS = {
    # IPv4 as other readers have it
    "http://2130706433/": ONE_SPELLING,
    "http://017700000001/": ONE_SPELLING,
    "http://0x7f000001/": ONE_SPELLING,
    "http://0X7F000001/": ONE_SPELLING,
    "http://0x7f.0.0.1/": ONE_SPELLING,
    "http://0x7f.0x0.0x0.0x1/": ONE_SPELLING,
    "http://0177.0.0.1/": ONE_SPELLING,
    "http://0177.0.0.01/": ONE_SPELLING,
    "http://127.000.000.001/": ONE_SPELLING,
    "http://127.1/": ONE_SPELLING,
    "http://127.0.1/": ONE_SPELLING,
    "http://0/": ONE_SPELLING,
    "http://0x/": ONE_SPELLING,
    "http://127.0.0.0x1/": ONE_SPELLING,
    "http://127.0.0.256/": ONE_SPELLING,
    "http://127.0.0.1.1/": ONE_SPELLING,
    "http://4294967296/": ONE_SPELLING,
    "http://1.2.3.4.example.0x7f/": ONE_SPELLING,
    "http://a.1/": ONE_SPELLING,
    "http://127.0.0.1./": "end with a dot",
    "http://localhost./": "end with a dot",
    "http://example.com./": "end with a dot",
    "http://example.com../": "end with a dot",
    # other alphabets
    "http://１２７.０.０.１/": ASCII,
    "http://①②⑦.0.0.1/": ASCII,
    "http://127。0。0。1/": ASCII,
    "http://ⓛocalhost/": ASCII,
    "http://bücher.example/": ASCII,
    "http://exa\u00admple.com/": ASCII,
    "http://example.com/ü": ASCII,
    # what is not seen, or read in two ways
    " http://example.com/": ASCII,
    "http://example.com /": ASCII,
    "http://example.com/\r\nHost: x": ASCII,
    "ht\ntp://example.com/": ASCII,
    "http://example.com\t/": ASCII,
    "http://example.com\x00.evil.test/": ASCII,
    "http://example.com\\@127.0.0.1/": "backslash",
    "http:\\\\127.0.0.1/": SCHEME,
    "http://127.0.0.1\\.example.com/": "backslash",
    "http://example.com#@127.0.0.1/": "fragment",
    "http://example.com/#x": "fragment",
    "http://user@127.0.0.1/": USER,
    "http://user:pass@example.com/": USER,
    "http://@example.com/": USER,
    "http://example.com@127.0.0.1/": USER,
    "http://127.0.0.1:80@example.com/": USER,
    "http://127.0.0.1%00.example.com/": NO_NAME,
    "http://%31%32%37.0.0.1/": ONE_SPELLING,
    "http://exam%70le.com/": NO_NAME,
    "http://127.0.0.1%2f@x/": USER,
    "http://exa mple.com/": ASCII,
    "http://a..b/": NO_NAME,
    "http://.example.com/": NO_NAME,
    "http://-a.example/": NO_NAME,
    "http://a-.example/": NO_NAME,
    "http://a,b.example/": NO_NAME,
    "http://a;b/": NO_NAME,
    "http://a&b/": NO_NAME,
    "http://" + "a" * 64 + ".example/": NO_NAME,
    "http://" + "a." * 127 + "example/": NO_NAME,
    "http:///path": NO_NAME,
    "http://": NO_NAME,
    "http://?x": NO_NAME,
    # IPv6
    "http://::1/": PORT,
    "http://[::1/": READ,
    "http://::1]/": PORT,
    "http://[]/": BRACKETS,
    "http://[::1%25lo]/": BRACKETS,
    "http://[fe80::1%eth0]/": BRACKETS,
    "http://[fe80::1%251]/": BRACKETS,
    "http://[127.0.0.1]/": BRACKETS,
    "http://[v1.a]/": BRACKETS,
    "http://[localhost]/": BRACKETS,
    "http://[::1]x/": READ,
    "http://[::1][::2]/": READ,
    "http://[::ffff:0177.0.0.1]/": BRACKETS,
    # schemes
    "": SCHEME,
    "example.com": SCHEME,
    "//example.com/": SCHEME,
    "http:/example.com/": SCHEME,
    "http:example.com": SCHEME,
    "ftp://example.com/": SCHEME,
    "file:///etc/passwd": SCHEME,
    "gopher://127.0.0.1:6379/_": SCHEME,
    "dict://127.0.0.1:11211/stat": SCHEME,
    "ws://example.com/": SCHEME,
    "javascript:alert(1)": SCHEME,
    "data:text/plain,x": SCHEME,
    "url:http://example.com/": SCHEME,
    "jar:http://example.com!/": SCHEME,
    "http+unix://%2fvar%2frun%2fdocker.sock/": SCHEME,
    "https ://example.com/": ASCII,
    # ports
    "http://example.com:/": PORT,
    "http://example.com:0/": PORT,
    "http://example.com:65536/": PORT,
    "http://example.com:99999999999/": PORT,
    "http://example.com:080/": PORT,
    "http://example.com:+80/": PORT,
    "http://example.com:-1/": PORT,
    "http://example.com:0x50/": PORT,
    "http://example.com:80:80/": PORT,
    "http://example.com:８０/": ASCII,
    "http://example.com:80a/": PORT,
    "http://[::1]:/": PORT,
    "http://example.com/" + "a" * MAX_URL: "longer than",
}


@pytest.mark.parametrize("url", REFUSED_SPELLINGS, ids=lambda url: ascii(url)[:60])
def test_what_readers_of_urls_disagree_about_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused, match=REFUSED_SPELLINGS[url]) as caught:
        target_of(url)
    assert "127" not in caught.value.message  # nothing of the URL is repeated: it may hold a secret


@pytest.mark.parametrize(
    ("url", "parts", "authority"),
    [
        ("https://Example.COM", ("https", "example.com", 443, "/"), "example.com"),
        ("HTTP://example.com:80/A?b=c", ("http", "example.com", 80, "/A?b=c"), "example.com"),
        ("https://example.com:80", ("https", "example.com", 80, "/"), "example.com:80"),
        ("https://example.com?x=//@", ("https", "example.com", 443, "/?x=//@"), "example.com"),
        ("http://my_service:8080/", ("http", "my_service", 8080, "/"), "my_service:8080"),
        ("https://xn--bcher-kva.example/", ("https", "xn--bcher-kva.example", 443, "/"), None),
        ("http://1.1.1.1:8080/", ("http", "1.1.1.1", 8080, "/"), "1.1.1.1:8080"),
        ("http://[2606:4700:0::1]/", ("http", "2606:4700::1", 80, "/"), "[2606:4700::1]"),
        ("http://[::FFFF:1.1.1.1]:81/", ("http", "1.1.1.1", 81, "/"), "1.1.1.1:81"),
        ("http://3com.example/%2e%2e/", ("http", "3com.example", 80, "/%2e%2e/"), "3com.example"),
    ],
)
def test_a_url_is_taken_apart_once(url: str, parts: tuple[str, str, int, str], authority: str | None) -> None:
    target = target_of(url)
    assert (target.scheme, target.host, target.port, target.path) == parts
    assert target.authority == (authority or parts[1])


@given(st.text())
def test_no_text_does_anything_but_be_a_target_or_be_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}/x"):
        try:
            target = target_of(url)
        except AddressRefused:
            continue
        assert target.host.isascii()
        assert target.path.startswith("/")


MARKS = (*":/?#@\\%.-_[]&;~!'(*+,=|`^{é１。", "..", "%2f", "%00")
NUMBERS = ("::1", "127.1", "0x7f", "017", "1", "80", "443", "65536")
WORDS = (*NUMBERS, "http", "https", "://", "a", "xn--", "example.com", "localhost")
PIECES = st.sampled_from([*MARKS, *WORDS, "\t", "\n", "\x00", " "])


@given(
    st.lists(PIECES, min_size=1, max_size=8), st.sampled_from(["", "http://", "https://a", "http://1.1.1.1"])
)
@settings(max_examples=1000)
def test_what_is_taken_is_what_other_readers_take(pieces: list[str], before: str) -> None:
    url = before + "".join(pieces)
    try:
        target = target_of(url)
    except AddressRefused:
        return
    standard, other = urlsplit(url), httpx.URL(url)
    host = str(plain_address(standard.hostname or "")) if target.address else standard.hostname
    assert (target.scheme, target.host) == (standard.scheme, host)
    assert target.port == (standard.port or DEFAULT_PORTS[target.scheme])
    assert target.port == (other.port or DEFAULT_PORTS[target.scheme])
    assert other.raw_host.decode() == (standard.hostname or "")


@given(st.ip_addresses())
def test_an_address_is_read_as_the_standard_library_reads_it(address: IPv4Address | IPv6Address) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    read = target_of(f"http://{host}:8080/").address
    assert read == (getattr(address, "ipv4_mapped", None) or ipaddress.ip_address(str(address)))
