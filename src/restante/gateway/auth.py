"""Who is asking (setting `auth.mode`), and which header fields were meant for us in that.

- `open`: everybody is the one tenant, and may do everything; no field is looked at.
- `keys`: a key of ours, in `Restante-Key`, or in `Authorization`, which is then ours and goes no further: as
  a Bearer token, or with Basic as the password, or as the user name where there is no password.
- `passthrough`: `Authorization` is the upstream's and goes there; its keyed hash is who asks. Who brings a
  `Restante-Key` as well is asked for that one: so operators have theirs.

A key is looked for by its keyed hash (core/access.py), so that no comparison tells how much of it was right.
"""

from base64 import b64decode
from collections.abc import Sequence

from ..core.access import EVERYBODY, LONGEST, PREFIX, AccessKey, Scope, digest_of, owner_of
from ..ports.auth import Admitted, Caller, Fields
from ..service.keys import Keys
from .problems import Unauthenticated

DEFAULT = Caller("default", all=True)

KEY = b"restante-key"
AUTHORIZATION = b"authorization"
OWN = frozenset({Scope.SUBMIT, Scope.READ})
"""What somebody may do with what is theirs."""


class OpenAuth:
    """Everybody is the one tenant."""

    guards_plain = False

    async def identify(self, headers: Fields) -> Admitted:
        return Admitted(DEFAULT, headers)

    def recognise(self, headers: Fields) -> Admitted:
        return Admitted(DEFAULT, headers)


class KeyAuth:
    """Everybody has a key."""

    guards_plain = True

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def identify(self, headers: Fields) -> Admitted:
        digest, rest = self._presented(headers)
        key = await self._keys.find(digest)
        if key is None:
            raise Unauthenticated("This key is not known, or good no longer.")
        return Admitted(_holder(key), rest)

    def recognise(self, headers: Fields) -> Admitted | None:
        try:
            digest, rest = self._presented(headers)
        except Unauthenticated:  # `identify` says what is wrong
            return None
        key = self._keys.at_hand(digest)
        return None if key is None else Admitted(_holder(key), rest)

    def _presented(self, headers: Fields) -> tuple[bytes, Fields]:
        """The hash of the key in `headers`, and what else there is. Raises `Unauthenticated`."""
        own = _values(headers, KEY)
        if own:
            key, rest = own[0].strip(), headers
            own = [*own, *(one for one in _values(headers, AUTHORIZATION) if _is_ours(one))]
        else:
            own = _values(headers, AUTHORIZATION)
            key = _key_in(own[0]) if own else b""
            rest = [pair for pair in headers if pair[0] != AUTHORIZATION]
        if len(own) != 1:
            what = "one key of ours, once" if own else "a key"
            raise Unauthenticated(f"This needs {what}: in Restante-Key, or in Authorization.")
        if not key.startswith(PREFIX.encode()) or len(key) > LONGEST:
            raise Unauthenticated("This key is not known, or good no longer.")
        return digest_of(self._keys.secret, key), rest


class PassthroughAuth:
    """The upstream's credentials are the owner's name."""

    guards_plain = False

    def __init__(self, keys: Keys) -> None:
        self._secret = keys.secret
        self._operators = KeyAuth(keys)

    async def identify(self, headers: Fields) -> Admitted:
        if _values(headers, KEY):
            return await self._operators.identify(headers)
        return self._owner(headers)

    def recognise(self, headers: Fields) -> Admitted | None:
        if _values(headers, KEY):
            return self._operators.recognise(headers)
        try:
            return self._owner(headers)
        except Unauthenticated:
            return None

    def _owner(self, headers: Fields) -> Admitted:
        given = _values(headers, AUTHORIZATION)
        if len(given) != 1 or not given[0].strip():
            raise Unauthenticated(
                "This needs the upstream's Authorization, once: whoever submits with it may read."
            )
        return Admitted(Caller(owner_of(self._secret, given[0].strip()), OWN), headers)


def _holder(key: AccessKey) -> Caller:
    return Caller(key.tenant, key.scopes, key.tenant == EVERYBODY, key)


def _values(headers: Fields, name: bytes) -> Sequence[bytes]:
    return [value for key, value in headers if key == name]


def _is_ours(authorization: bytes) -> bool:
    """Whether there is a key of ours in it, which is not to go to an upstream."""
    return any(one.startswith(PREFIX.encode()) for one in _parts(authorization))


def _key_in(authorization: bytes) -> bytes:
    """The key in the value of an `Authorization`; empty where there is none."""
    user, password = _parts(authorization)
    return password or user


def _parts(authorization: bytes) -> tuple[bytes, bytes]:
    """User and password of an `Authorization` with Basic (RFC 7617); the token of one with Bearer (RFC 6750)
    and nothing. Empty where there is neither."""
    scheme, _, token = authorization.strip().partition(b" ")
    token = token.strip()
    match scheme.lower():
        case b"bearer":
            return token, b""
        case b"basic" if len(token) <= 2 * LONGEST:
            try:
                user, _, password = b64decode(token, validate=True).partition(b":")
            except ValueError:
                return b"", b""
            return user, password
        case _:
            return b"", b""
