"""Which addresses are public: the special-purpose ones by name, and what stands for another address undone.

The tables are IANA's registries of special-purpose addresses (RFC 6890, with the later entries), and not
what `ipaddress` says: that differs between versions of Python. Of IPv6 nothing is public but 2000::/3, the
part that is given out at all. No I/O here, and no names: what they point to is judged.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

SPECIAL_V4 = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private use"),
        ("100.64.0.0/10", "shared by a carrier's customers"),
        ("127.0.0.0/8", "this machine"),
        ("168.63.129.16/32", "a cloud's own services"),  # public by its number, and nobody else's
        ("169.254.0.0/16", "link-local"),  # instance metadata is here
        ("172.16.0.0/12", "private use"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4"),
        ("192.168.0.0/16", "private use"),
        ("198.18.0.0/15", "benchmarks"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),  # broadcast is the last of them
    )
)

SPECIAL_V6 = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::1/128", "this machine"),
        ("::/96", "IPv4-compatible, which is nobody's any more"),
        ("64:ff9b:1::/48", "translation for private use"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private use"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private use"),
        ("ff00::/8", "multicast"),
    )
)

GIVEN_OUT = IPv6Network("2000::/3")
TRANSLATED = IPv6Network("64:ff9b::/96")  # NAT64 (RFC 6052 §2.1); an IPv4 address is in the last 32 bits
V4_BITS = (1 << 32) - 1


def plain_address(text: str) -> IPAddress:
    """The address that `text` spells, IPv4 where it is IPv4 in the clothes of IPv6.

    Raises `ValueError` for anything but the one spelling of IPv4 (four decimal numbers, no leading zeros) and
    the spellings of IPv6, and for an address with a zone.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise ValueError("an address with a zone is one of this machine's links")
        return address.ipv4_mapped or address
    return address


def why_not(address: IPAddress, allow: Sequence[IPNetwork]) -> str | None:
    """What `address` is, where it is neither public nor in a network of `allow`; None: it may be sent to.

    An address that NAT64 would translate is judged by the IPv4 address that is reached.
    """
    if any(address in network for network in allow):
        return None
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in SPECIAL_V4 if address in network), None)
    if address in TRANSLATED:
        return why_not(IPv4Address(int(address) & V4_BITS), allow)
    for network, kind in SPECIAL_V6:
        if address in network:
            return kind
    return None if address in GIVEN_OUT else "given out to nobody"
