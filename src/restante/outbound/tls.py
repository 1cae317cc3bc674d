"""TLS contexts, one per combination of files, since making one costs tens of milliseconds."""

import functools
import ssl

from ..core.policy import Upstream


def context_for(upstream: Upstream) -> ssl.SSLContext | None:
    """How to speak TLS with `upstream`; None for plain HTTP. Raises `OSError` where a file cannot be used."""
    if upstream.scheme != "https":
        return None
    return _context(upstream.ca_file, upstream.client_cert, upstream.client_key)


@functools.cache
def public_context(ca_file: str | None) -> ssl.SSLContext:
    """How to speak TLS with anybody: trusted are the system's authorities and those of `ca_file`.

    Raises `OSError` where the file cannot be used.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


@functools.cache
def _context(ca_file: str | None, client_cert: str | None, client_key: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    if client_cert is not None:
        context.load_cert_chain(client_cert, client_key)
    return context
