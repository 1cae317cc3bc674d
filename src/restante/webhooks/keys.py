"""What webhooks are signed with: `whsec_…` secrets, RSA keys, a shop's credentials. Made, read, and refused.

What comes from outside is bounded before it is read, and refused as `BadRequest` that names no part of it.
RSA keys come from the library's own chance: its primes cannot be drawn from elsewhere.
"""

import base64
import binascii
from functools import lru_cache
from typing import TYPE_CHECKING

from ..core.errors import BadRequest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from ..ports import Chance

PREFIX = "whsec_"
SECRET_BYTES = 32
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64  # Standard Webhooks

RSA_BITS = 2048
MOST_RSA_BITS = 4096  # a signature takes about eight times as long as with half the bits
MAX_PEM = 16 * 1024
MAX_CREDENTIAL = 255
PUBLIC_MARK = "-----BEGIN PUBLIC KEY-----"

KEPT_KEYS = 256
"""Keys that stay decoded: decoding one checks its primes, which takes longer than to sign with it."""


def new_secret(chance: "Chance") -> str:
    """A secret nobody has."""
    return PREFIX + base64.b64encode(chance.bytes(SECRET_BYTES)).decode()


def secret_bytes(secret: str) -> bytes:
    """What `secret` stands for, with or without its prefix or its padding. Raises `BadRequest`."""
    text = secret.removeprefix(PREFIX).rstrip("=")
    try:
        if len(text) > 2 * MOST_SECRET_BYTES:
            raise ValueError
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        if not LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
            raise ValueError
    except (ValueError, binascii.Error):
        raise BadRequest(
            f"a secret must be {PREFIX} and the base64 of {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes",
            field="secret",
        ) from None
    return key


def new_private_key(*, bits: int = RSA_BITS) -> str:
    """An RSA key nobody has, as PEM (PKCS #8). Takes up to a second of the processor's time."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@lru_cache(maxsize=KEPT_KEYS)
def private_key(pem: str) -> "RSAPrivateKey":
    """The key in `pem`. Raises `BadRequest` where it holds anything but a usable RSA key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_bounded(pem), password=None)
        if not isinstance(key, RSAPrivateKey) or not RSA_BITS <= key.key_size <= MOST_RSA_BITS:
            raise ValueError
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadRequest(
            f"a private key must be one RSA key of {RSA_BITS} to {MOST_RSA_BITS} bits, "
            "as PEM and without a passphrase",
            field="private_key",
        ) from None
    return key


@lru_cache(maxsize=KEPT_KEYS)
def public_key(pem: str) -> "RSAPublicKey":
    """The key in `pem`. Raises `BadRequest` where it holds anything but a public RSA key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_bounded(pem))
        if not isinstance(key, RSAPublicKey):
            raise ValueError
    except (ValueError, UnsupportedAlgorithm):
        raise BadRequest("a public key must be an RSA key, as PEM", field="public_key") from None
    return key


def public_key_of(pem: str) -> str:
    """What receivers are given of a private key, as PEM. Raises `BadRequest`."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = private_key(pem).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def basic(username: str, password: str) -> bytes:
    """The value of an Authorization field (RFC 7617). Raises `BadRequest`."""
    for name, text in (("username", username), ("password", password)):
        if not text or len(text) > MAX_CREDENTIAL or not text.isprintable():
            raise BadRequest(
                f"{name} must be 1 to {MAX_CREDENTIAL} characters, none of them a control character",
                field=name,
            )
    if ":" in username:
        raise BadRequest("username must not hold a colon", field="username")
    try:
        pair = f"{username}:{password}".encode()
    except UnicodeEncodeError:
        raise BadRequest("username and password must be text", field="username") from None
    return b"Basic " + base64.b64encode(pair)


def _bounded(pem: str) -> bytes:
    if len(pem) > MAX_PEM:
        raise ValueError("too long")
    return pem.encode("ascii")
