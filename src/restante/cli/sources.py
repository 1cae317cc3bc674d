"""Where settings come from: the file, the environment, flags. Each wins over the one before.

What stands at the top of the file can be given by variable or flag, and two settings below it: `upstream` is
there the URL of the only upstream, that is `upstream.url`, and `auth_mode` is `auth.mode`.
"""

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from ..config import SettingError, Settings, settings
from ..config.settings import AUTH_MODE, STORE_URL, TOP
from ..config.table import Table
from .certificates import check_certificates

DEFAULT_FILE = "restante.toml"
PREFIX = "RESTANTE_"
UPSTREAM = "upstream"
AUTH = "auth_mode"
CONFIG = "config"
BELOW = {UPSTREAM: ("upstream", "url"), AUTH: ("auth", AUTH_MODE.name)}
"""What is given by one name and stands in a table of the file: table and setting."""

CLOSE = 0.8
"""How alike a variable's name must be to one of ours to be taken for a misspelling of it. Others with
our prefix are left alone: service managers set some of their own (RESTANTE_PORT, RESTANTE_SERVICE_HOST)."""


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """`raw` is what `config.settings` takes; `origins` says of each overridden setting what gave it."""

    raw: dict[str, object]
    origins: dict[str, str]
    file: str | None

    def read(self) -> Settings:
        """The settings; what is wrong is told with where it was written."""
        try:
            read = settings(self.raw)
            check_certificates(read)
            if read.sealing is not None:
                from ..assembly.masters import read_masters  # with all of a server, which few commands need

                read = read_masters(read, os.environ, Path.cwd())
        except SettingError as error:
            name = error.setting.partition("[")[0]
            origin = self.origins.get(name) or (f"in {self.file}" if self._in_file(name) else "")
            message = str(error).removeprefix(f"{error.setting}: ")
            raise SettingError(error.setting, f"{message} ({origin})" if origin else message) from None
        return read

    def _in_file(self, name: str) -> bool:
        return self.file is not None and name.partition(".")[0] in self.raw


def gather(flags: Mapping[str, Any], environment: Mapping[str, str], folder: Path) -> Sources:
    """What file, environment and flags say together. `flags` holds None for what was not given."""
    variables = _variables(environment)
    config = flags.get(CONFIG) or variables.get(CONFIG)
    raw: dict[str, object] = {}
    file = None
    if config is not None:
        file = str(config)
    elif (folder / DEFAULT_FILE).exists():
        file = DEFAULT_FILE
    if file is not None:
        raw = read_file(folder, file)
    origins: dict[str, str] = {}
    _override(
        raw, origins, {name: (text, f"from {PREFIX}{name.upper()}") for name, text in variables.items()}
    )
    given = {name: value for name, value in flags.items() if value is not None}
    _override(raw, origins, {name: (value, f"from {flag(name)}") for name, value in given.items()})
    return Sources(raw=raw, origins=origins, file=file)


def store_url(store: str | None, config: str | None) -> str:
    """The store that is meant: of the settings nothing else is read."""
    raw = gather({STORE_URL.name: store, CONFIG: config}, os.environ, Path.cwd()).raw
    return Table({name: value for name, value in raw.items() if name == STORE_URL.name}, "", TOP).get(
        STORE_URL
    )


def flag(name: str) -> str:
    """The flag for a setting."""
    return "--" + name.replace("_", "-")


def read_file(folder: Path, name: str) -> dict[str, object]:
    """The content of the TOML file `name`, meant from `folder`."""
    try:
        with (folder / name).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise SettingError(CONFIG, f"{name} cannot be read: {error.strerror or 'not a file'}") from None
    except UnicodeDecodeError:
        raise SettingError(CONFIG, f"{name} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(CONFIG, f"{name} is not TOML: {error}") from None


def _override(
    raw: dict[str, object], origins: dict[str, str], given: Mapping[str, tuple[object, str]]
) -> None:
    kinds = {setting.name: setting.kind for setting in TOP.settings}
    for name, (value, origin) in given.items():
        if name == CONFIG:
            continue
        if name in BELOW:
            _override_below(raw, name, value, origin)
            origins[".".join(BELOW[name])] = origin
            continue
        raw[name] = kinds[name].from_text(value) if isinstance(value, str) else value
        origins[name] = origin


def _override_below(raw: dict[str, object], given: str, value: object, origin: str) -> None:
    if given == UPSTREAM and "upstreams" in raw:
        raise SettingError(
            UPSTREAM, f"the file has [upstreams.NAME], so a single one has no place ({origin})"
        )
    name, setting = BELOW[given]
    table = raw.get(name)
    raw[name] = {**(table if isinstance(table, dict) else {}), setting: value}


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Ours among the variables, by the setting's name. An empty one is as if it was not set."""
    known = [setting.name for setting in TOP.settings] + [*BELOW, CONFIG]
    found = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or not text:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in known:
            found[name] = text
        elif close := get_close_matches(name, known, n=1, cutoff=CLOSE):
            raise SettingError(
                variable, f"there is no such setting; did you mean {PREFIX}{close[0].upper()}?"
            )
    return found
