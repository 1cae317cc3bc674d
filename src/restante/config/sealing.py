"""The table `[sealing]`: where the master keys are, and the folder of data keys.

The keys themselves are read by `assembly`, for whoever asks for it.
"""

import re

import msgspec

from ..core.errors import SettingError
from .kinds import TEXT, Kind
from .table import Misplaced, Section, Setting, Table

MAX_KEYS = 10
ENV, FILE = "env:", "file:"

_PLACE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\0]+")


def _places(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_KEYS:
        raise ValueError(f'expected a list of 1 to {MAX_KEYS} places, such as ["env:MASTER_KEY"]')
    for place, one in enumerate(value):
        if not isinstance(one, str) or not _PLACE.fullmatch(
            one
        ):  # it may be the key itself: it is not repeated
            raise Misplaced(f"[{place}]", "expected env:VARIABLE or file:PATH, where the key is")
    if len(set(value)) != len(value):
        raise ValueError("expected different places")
    return tuple(value)


KEYS = Setting(
    "keys",
    Kind("list of places", _places),
    "where the master keys are: `env:VARIABLE` or `file:PATH`, each holding 32 bytes as base64 or hex. The "
    "first one seals, all of them open",
)
FOLDER = Setting(
    "folder",
    TEXT,
    "the folder of data keys, one for each day: not where the store is backed up, and shared by all servers "
    "of a PostgreSQL",
)

SEALING = Section(
    "`[sealing]`",
    "Bodies, headers, event data and webhook secrets are encrypted in the store (see "
    "[secrets](../operate/secrets.md)). Without this table they are kept in clear.",
    (KEYS, FOLDER),
)


class Sealing(msgspec.Struct, frozen=True, kw_only=True):
    """`masters` are the keys that are in `places`, once somebody has read them; `shared` the places that
    others than their owner can read as well."""

    places: tuple[str, ...]
    folder: str
    masters: tuple[bytes, ...] = ()
    shared: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Sealing(places={self.places!r}, folder={self.folder!r})"


def read_sealing(raw: object) -> Sealing | None:
    if raw is None:
        return None
    table = Table(raw, "sealing", SEALING)
    return Sealing(places=table.get(KEYS), folder=table.get(FOLDER))


def with_masters(sealing: Sealing, masters: tuple[bytes, ...], *, shared: tuple[str, ...] = ()) -> Sealing:
    """Raises `SettingError` where two are the same."""
    if len(set(masters)) != len(masters):
        raise SettingError("sealing.keys", "the same key is in two places")
    return msgspec.structs.replace(sealing, masters=masters, shared=shared)


def describe_sealing(sealing: Sealing | None) -> dict[str, object] | None:
    """Never the keys."""
    return None if sealing is None else {"keys": list(sealing.places), "folder": sealing.folder}
