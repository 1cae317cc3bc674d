"""The master keys, read from where the settings say they are."""

import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..config import SettingError, Settings
from ..config.sealing import ENV, FILE, with_masters
from ..core.masterkey import read_key

LARGEST = 4096
"""Bytes of a key's file that are read."""

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""Of a file's mode: what others than its owner may."""


def read_masters(settings: Settings, environment: Mapping[str, str], folder: Path) -> Settings:
    """The settings with the keys in them. Raises `SettingError`, which names the place and never what is
    there."""
    sealing = settings.sealing
    if sealing is None:
        return settings
    masters, shared = [], []
    for number, place in enumerate(sealing.places):
        try:
            masters.append(read_key(_content(place, environment, folder)))
        except ValueError as error:
            raise SettingError(f"sealing.keys[{number}]", f"{place}: {error}") from None
        if place.startswith(FILE) and (folder / place.removeprefix(FILE)).stat().st_mode & OTHERS:
            shared.append(place)
    return msgspec.structs.replace(
        settings, sealing=with_masters(sealing, tuple(masters), shared=tuple(shared))
    )


def _content(place: str, environment: Mapping[str, str], folder: Path) -> str:
    if place.startswith(ENV):
        found = environment.get(place.removeprefix(ENV), "")
        if not found:
            raise ValueError("there is no such variable in the environment")
        return found
    try:
        with (folder / place.removeprefix(FILE)).open("rb") as file:
            return file.read(LARGEST).decode("latin-1")
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror or 'not a file'}") from None
