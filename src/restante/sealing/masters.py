"""The master keys, as listed: the first one seals, all of them open.

They seal two things only, each under a key of its own that is derived from them: data keys, which lie in the
folder, and what is kept for ever, which lies in the store. Whatever else is sealed is sealed under a data
key.
"""

from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ..core.masterkey import KEY_BYTES, id_of
from .envelope import name_of, seal, unseal

FOLDER = b"restante data keys"
STORE = b"restante kept for ever"
"""What a derived key is for."""


class UnknownMaster(Exception):
    """Sealed under a master key that is not listed."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id


class Masters:
    def __init__(self, keys: Sequence[bytes]) -> None:
        self.ids = tuple(map(id_of, keys))
        self._keys = {
            purpose: {id_of(key): AESGCM(_derived(key, purpose)) for key in keys}
            for purpose in (FOLDER, STORE)
        }

    def seal(self, purpose: bytes, place: bytes, content: bytes) -> bytes:
        first = self.ids[0]
        return seal(first, self._keys[purpose][first], place, content)

    def unseal(self, purpose: bytes, place: bytes, sealed: bytes) -> bytes:
        """Raises `UnknownMaster` and `NotSealedHere`."""

        def find(id: str) -> AESGCM:
            try:
                return self._keys[purpose][id]
            except KeyError:
                raise UnknownMaster(id) from None

        return unseal(sealed, place, find)

    def current(self, sealed: bytes) -> bool:
        """Whether it is under the first one."""
        return name_of(sealed) == self.ids[0]


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=purpose).derive(key)
