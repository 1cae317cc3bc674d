"""What an application may say of us: the settings, but for what is the host server's."""

from typing import Any

import pytest

from restante.core.clock import HOUR, MINUTE
from restante.core.errors import SettingError
from restante.embed.options import read_options


def test_options_win_over_the_mapping() -> None:
    config = {"store": "sqlite:///a.db", "retention": "2h"}
    read = read_options(config, {"store": "sqlite:///b.db"}).settings
    assert read.store == "sqlite:///b.db"
    assert read.policy.limits.retention == 2 * HOUR


def test_the_application_is_the_upstream() -> None:
    read = read_options({"upstream": {"timeout": "5m"}}, {})
    (upstream,) = read.settings.policy.upstreams.values()
    assert read.apps == {"default"}
    assert upstream.timeout == 5 * MINUTE
    assert upstream.preserve_host


def test_other_upstreams_have_urls_or_are_the_application_too() -> None:
    tables = {"slow": {"timeout": "1h"}, "bank": {"url": "https://bank.example"}}
    read = read_options(None, {"upstreams": tables})
    assert read.apps == {"default", "slow"}
    assert set(read.settings.policy.upstreams) == {"default", "slow", "bank"}


def test_requests_have_the_scheme_of_the_public_url() -> None:
    read = read_options(None, {"public_url": "https://pay.example"})
    assert read.settings.policy.upstreams["default"].scheme == "https"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"listen": "0.0.0.0:80"}, "listen: cannot be set in an application: the host server listens"),
        ({"workers": 2}, "workers: cannot be set in an application: the host server has processes"),
        ({"max_head": "1KiB"}, "max_head: cannot be set in an application"),
        (
            {"sealing": {"keys": ["env:NO_SUCH_KEY"], "folder": "k"}},
            "sealing.keys[0]: env:NO_SUCH_KEY: there",
        ),
        ({"upstream": {"url": "http://x"}}, "upstream.url: there is no connection to an application"),
        ({"upstream": {"ca_file": "x"}}, "upstream.ca_file: there is no connection to an application"),
        ({"upstream": {"timeoutt": "1s"}}, "upstream.timeoutt: there is no such setting"),
        ({"upstreams": {"default": {"url": "http://x"}}}, "upstreams.default.url: the default upstream is"),
        ({"upstream": {}, "upstreams": {}}, "upstreams: give either"),
        ({"upstreams": {"a": {"timeout": "x"}}}, "upstreams.a.timeout: "),
        ({"retention": "soon"}, "retention: expected"),
        ({"retentoin": "1h"}, "retentoin: there is no such setting; did you mean retention?"),
        ({"public_url": "nonsense"}, "public_url: expected an origin"),
        ({"store": "mysql://x"}, "store: expected sqlite:///FILE"),
        ({"routes": [{"match": "POST"}]}, "routes[0].match: expected a method"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as error:
        read_options(None, options)
    assert str(error.value).startswith(said)


def test_a_mapping_is_a_mapping() -> None:
    with pytest.raises(SettingError, match="config: expected a table"):
        read_options("restante.toml", {})  # type: ignore[arg-type]
