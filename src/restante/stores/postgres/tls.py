"""What is wrong with TLS, where that is why there is no connection to the server; in words of ours.

The driver says it in several ways: by the errors of OpenSSL, by one of its own for what the URL asks for, and
by a bare `ConnectionError` where the server offers no TLS. None of its text is passed on
but OpenSSL's reason.
"""

import os
import ssl
from urllib.parse import parse_qsl, urlsplit

import asyncpg

FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


def tls_trouble(error: BaseException, url: str) -> str | None:
    """A phrase that begins with TLS, or None where that has no part in it."""
    match error:
        case FileNotFoundError() | PermissionError():
            unread = [name for name, path in parse_qsl(urlsplit(url).query) if _unreadable(name, path)]
            return f"TLS: the file of {unread[0]} cannot be read" if unread else None
        case ssl.SSLCertVerificationError():
            return (
                f"TLS: the server's certificate is not accepted ({error.verify_message.rstrip('.')}); "
                "?sslrootcert=FILE names the authority to trust"
            )
        case ssl.SSLError(library=None) | ssl.SSLEOFError():
            return "TLS: the server broke off the handshake"
        case ssl.SSLError(library="SSL"):
            return f"TLS: no agreement with the server ({error.reason})"
        case ssl.SSLError():
            return f"TLS: a file of {' or '.join(FILES)} is not what it should be ({error.reason})"
        case asyncpg.ClientConfigurationError() if "root certificate" in str(error):
            return (
                "TLS: there is no root certificate to verify the server with; "
                "name it by ?sslrootcert=FILE or put it into ~/.postgresql/root.crt"
            )
        case asyncpg.ClientConfigurationError() if any(word in str(error) for word in ("ssl", "TLS")):
            return "TLS: sslmode, or another option of the URL that begins with ssl, has no such value"
        case ConnectionError() if "SSL" in str(error):
            return "TLS: the server offers none, and ?sslmode= demands it"
        case _:
            return None


def _unreadable(name: str, path: str) -> bool:
    return name in FILES and not os.access(path, os.R_OK)
