"""What ties a store to its folder of data keys: a mark in the store that only the folder's own key opens."""

from collections.abc import Callable

from ..core.errors import SettingError
from .envelope import NotSealedHere, seal, unseal
from .folder import IDENTITY, KeyFolder

PLACE = b"store"
MOMENT_BYTES = 8


class Mark:
    """`now` gives the moment, in microseconds."""

    def __init__(self, folder: KeyFolder, now: Callable[[], int]) -> None:
        self._folder = folder
        self._now = now

    def make(self) -> bytes:
        """A mark for a store; with the first, the folder's key."""
        key = self._folder.make(IDENTITY, self._now().to_bytes(MOMENT_BYTES, "big"))
        return seal(IDENTITY, key, PLACE, b"")

    def check(self, mark: bytes | None) -> None:
        """Raises `SettingError` unless it is this folder's."""
        key = self._folder.find(IDENTITY)
        if key is None:
            raise SettingError(
                "sealing.folder",
                f"{self._folder.path} is not the folder of this store: its data keys are not there",
            )
        try:
            unseal(mark or b"", PLACE, lambda name: key)
        except NotSealedHere:
            raise SettingError("sealing.folder", f"{self._folder.path} is another store's folder") from None
