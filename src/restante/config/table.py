"""Sections, settings, and a table of the file held against its section.

Each setting is declared once, with its kind, its default as one would write it, and what it means. The
declaration is what reads it, what refuses its misspellings, and what the reference page is made of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from ..core.errors import SettingError
from .kinds import Kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting. `default` is written as in a file; None: there is none."""

    name: str
    kind: Kind[T]
    meaning: str
    default: object = None


@dataclass(frozen=True, slots=True)
class Section:
    """The settings of one table. `tables` are tables within it, read by their own sections.

    `later` names what the product will have but this version has not, so that it is refused for what
    it is and not as a misspelling.
    """

    title: str
    meaning: str
    settings: tuple[Setting[Any], ...]
    tables: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


class Table:
    """A table of the file at `place` ("" for the whole), checked for names that do not belong there."""

    def __init__(self, raw: object, place: str, section: Section) -> None:
        self.place = place
        self.raw = mapping(raw, place)
        known = [setting.name for setting in section.settings] + list(section.tables)
        for name in self.raw:
            if name in section.later:
                raise SettingError(self.at(name), "not part of this version")
            if name not in known:
                raise SettingError(self.at(name), unknown(name, known))

    def at(self, name: str) -> str:
        """The full dotted place of `name` in this table."""
        return f"{self.place}.{name}" if self.place else name

    def has(self, setting: Setting[Any]) -> bool:
        """Whether the file gives it."""
        return setting.name in self.raw

    def find(self, setting: Setting[T]) -> T | None:
        """Its value, given or default; None where there is neither."""
        value = self.raw.get(setting.name, setting.default)
        return None if value is None else self._read(setting, value)

    def get(self, setting: Setting[T]) -> T:
        """Its value; raises where it is neither given nor has a default."""
        value = self.raw.get(setting.name, setting.default)
        if value is None:
            raise SettingError(self.at(setting.name), "missing: " + setting.meaning.replace("`", ""))
        return self._read(setting, value)

    def refuse(self, setting: Setting[Any], why: str) -> SettingError:
        """The error that names `setting` of this table."""
        return SettingError(self.at(setting.name), why)

    def _read(self, setting: Setting[T], value: object) -> T:
        try:
            return setting.kind.read(value)
        except Misplaced as error:
            raise SettingError(self.at(setting.name) + error.within, str(error)) from None
        except ValueError as error:
            raise SettingError(self.at(setting.name), str(error)) from None


class Misplaced(ValueError):
    """What is wrong is `within` the value: `.name` of an inline table, `[2]` of a list."""

    def __init__(self, within: str, message: str) -> None:
        super().__init__(message)
        self.within = within


def mapping(raw: object, place: str) -> Mapping[str, object]:
    """`raw` as a table with names for keys."""
    if not isinstance(raw, Mapping) or not all(isinstance(name, str) for name in raw):
        raise SettingError(place, "expected a table")
    return raw


def unknown(name: str, known: list[str]) -> str:
    """What is said of a name that is none of `known`."""
    close = get_close_matches(name, known, n=1)
    return "there is no such setting" + (f"; did you mean {close[0]}?" if close else "")
