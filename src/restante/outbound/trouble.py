"""Why no connection was made, in words for people. No raw text of a driver or an operating system."""

import errno
import socket
import ssl

REFUSED = "the connection was refused"
UNRESOLVED = "the name could not be resolved"
NO_ROUTE = "there is no network route to the upstream"
RESET = "the upstream closed the connection at once"
NO_FILES = "this side has no more file handles for connections"
HANDSHAKE = "the TLS handshake failed"
NOT_MADE = "no connection could be made"

BY_ERRNO = {
    errno.ECONNREFUSED: REFUSED,
    errno.ENETUNREACH: NO_ROUTE,
    errno.EHOSTUNREACH: NO_ROUTE,
    errno.ECONNRESET: RESET,
    errno.EPIPE: RESET,
    errno.EMFILE: NO_FILES,
    errno.ENFILE: NO_FILES,
}

# X509_V_ERR_… of OpenSSL's x509_vfy.h
CERTIFICATE = {
    9: "the upstream's certificate is not valid yet",
    10: "the upstream's certificate has expired",
    18: "the upstream's certificate is self-signed and not trusted",
    19: "the upstream's certificate is signed by an authority that is not trusted",
    20: "the upstream's certificate is signed by an authority that is not trusted",
    21: "the upstream's certificate is signed by an authority that is not trusted",
    62: "the upstream's certificate is for another name",
    64: "the upstream's certificate is for another address",
}


def in_words(error: OSError, *, secure: bool, timeout_seconds: float | None) -> str:
    """A phrase for what went wrong while connecting; `secure` where TLS was to be spoken."""
    match error:
        case TimeoutError() if timeout_seconds is None:
            return "no connection in the operating system's time"
        case TimeoutError():
            return f"no connection within {timeout_seconds:g} s"
        case ssl.SSLCertVerificationError():
            return f"{HANDSHAKE}: {CERTIFICATE.get(error.verify_code, 'its certificate is not trusted')}"
        case ssl.SSLError():
            return HANDSHAKE
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError() if secure:
            return HANDSHAKE
        case socket.gaierror():
            return UNRESOLVED
    if error.errno in BY_ERRNO:
        return BY_ERRNO[error.errno]
    # asyncio joins the failures of several addresses into one error that has no number.
    text = str(error)
    for number, phrase in BY_ERRNO.items():
        if f"[Errno {number}]" in text:
            return phrase
    return NOT_MADE
