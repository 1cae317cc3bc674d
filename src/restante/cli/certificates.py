"""The PEM files that the settings name, tried before anything is started."""

import ssl
from collections.abc import Callable
from functools import partial

from ..config import SettingError, Settings


def check_certificates(settings: Settings) -> None:
    """Raises `SettingError` for a file that cannot be read or does not hold what it should."""
    for name, upstream in settings.policy.upstreams.items():
        place = "upstream" if list(settings.policy.upstreams) == ["default"] else f"upstreams.{name}"
        ca_file, client_cert, client_key = upstream.ca_file, upstream.client_cert, upstream.client_key
        if ca_file is not None:
            _try(f"{place}.ca_file", partial(_authorities, ca_file))
        if client_cert is not None:
            _try(
                f"{place}.client_cert",
                partial(_certificate, client_cert, client_key),
            )
    if settings.policy.webhooks.ca_file is not None:
        _try("webhooks.ca_file", partial(_authorities, settings.policy.webhooks.ca_file))


def _authorities(file: str) -> None:
    ssl.create_default_context(cafile=file)


def _certificate(cert: str, key: str | None) -> None:
    # The password is asked for on the terminal unless one is given; a server has nobody to ask.
    ssl.create_default_context().load_cert_chain(cert, key, password=b"")


def _try(setting: str, use: Callable[[], None]) -> None:
    try:
        use()
    except ssl.SSLError:
        raise SettingError(
            setting, "expected a PEM file with what its name says, and no passphrase"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not usable"
        raise SettingError(setting, f"the file cannot be read: {why}") from None
