"""Where a server is, and which transaction an id or a URL means."""

from urllib.parse import unquote, urlsplit

import msgspec


class Address(msgspec.Struct, frozen=True):
    """A server's URL, taken apart. `base` is its path without the slash at the end."""

    url: str
    secure: bool
    host: str
    port: int
    authority: str
    base: str


def address(url: str) -> Address:
    """Raises `ValueError` for what is no URL of a server."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(EXPECTED) from None
    good = parts.scheme in ("http", "https") and parts.hostname and port != 0 and url.isascii()
    if not good or "@" in parts.netloc or parts.query or parts.fragment or not url.isprintable():
        raise ValueError(EXPECTED)
    secure = parts.scheme == "https"
    return Address(
        url=url.rstrip("/"),
        secure=secure,
        host=parts.hostname or "",
        port=port or (443 if secure else 80),
        authority=parts.netloc,
        base=parts.path.rstrip("/"),
    )


EXPECTED = "expected a URL such as http://127.0.0.1:8600"


def id_of(text: str, server: Address | None = None) -> str:
    """The id in an id, a status_url, a response_url, or the URL or path of a transaction.

    Raises `ValueError`, also for a URL of another server than `server`: it is not asked of this one.
    """
    given = text.strip()
    if "/" not in given:
        if not given:
            raise ValueError("an id is needed")
        return given
    parts = urlsplit(given)
    if (
        server
        and parts.netloc
        and (parts.scheme, parts.netloc)
        != (
            "https" if server.secure else "http",
            server.authority,
        )
    ):
        raise ValueError(f"this is no transaction of {server.url}")
    id = unquote(parts.path.rstrip("/").removesuffix("/result").removesuffix("/events").rpartition("/")[2])
    if not id:
        raise ValueError("there is no id in this URL")
    return id
