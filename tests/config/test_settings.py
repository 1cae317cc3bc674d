"""What a configuration means: every setting arrives where it is acted on, and can be told again."""

import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.config import Address, settings
from restante.config.describe import HIDDEN, describe, spell_rate, upstream_url
from restante.config.kinds import LARGEST, LONGEST, RATE, SIZE, span, spell_duration, spell_size
from restante.config.settings import AUTH, TOP
from restante.config.upstreams import RETRY, UPSTREAM
from restante.core.clock import DAY, MILLISECOND, MINUTE, SECOND
from restante.core.duration import parse_duration
from restante.core.policy import Connections, Limits, Lookup, Policy, Retry, Route, Upstream, Webhooks
from restante.core.status import Dialect, Interrupted

SMALLEST: dict[str, Any] = {"upstream": {"url": "http://127.0.0.1:9000"}}

FULL = """
listen = "127.0.0.1:8600"
public_url = "https://pay.example/"
events_url = "http://10.0.0.5:8601"
store = "sqlite:///restante.db"
retention = "12h"
history = "14d"
accept_status = 200
max_body = "1MiB"
max_result = 4096
max_queued = 1000
max_queued_per_tenant = 100
max_stored_per_tenant = "1GiB"
rate_per_tenant = "50/s"
max_waiting = 50
max_events = 60
max_streams = 70
max_connections = 80
max_head = "32KiB"
max_target = "8KiB"
head_timeout = "10s"
body_timeout = "15s"
idle_timeout = "2m"
strict = true
trusted_proxies = ["10.0.0.0/8", "192.168.1.7"]
hosts = ["Gateway.Internal"]
cors_origins = ["https://app.example", "http://localhost:5173/"]
mask = ["/cvc"]
admin_listen = "[::1]:8601"
grace = "5s"
log_level = "warning"

[upstreams.bank]
url = "https://bank.example:8443/api/"
concurrency = 8
concurrency_per_tenant = 3
max_queued = 1000
max_stored = "2GiB"
through_concurrency = 256
through_rate = "6/m"
rate = "600/m"
timeout = "90s"
connect_timeout = "500ms"
retry = { attempts = 5, backoff = "2s", max_backoff = "1m", on = ["connect", 502, 503] }
preserve_host = true
set_headers = { Authorization = "Bearer very-secret", X-Shop = "7" }
ca_file = "ca.pem"
client_cert = "me.pem"
client_key = "me.key"

[upstreams.desk]
url = "http://[::1]:9001"

[[routes]]
match = "POST /channel/v0/tickets"
upstream = "desk"
dialect = "transaction"
transactions = "/seller/v0/transactions"
operation = "create"
interrupted = "reconcile"
lookup = "GET /v2/tracking/{tracking_id}?a=1"
found = "/transactions/0/uid"
answer = "/transactions/0"
not_found = "retry"
priority = -5
tracking_id = "/request/tracking_id"
deferred = true
data = { ticket_id = "/id" }
messages = { completed = "Criação de ticket bem sucedida" }

[[routes]]
match = "* /transactions/*"
upstream = "bank"
tracking_id = "X-Order"
callback = "/request/notification_url"

[webhooks]
allow = ["127.0.0.0/8", "fd00::/8"]
ports = [443, "8000-8999"]
ca_file = "receivers.pem"
timeout = "5s"
schedule = ["0s", "1m"]
concurrency = 100
endpoint_concurrency = 4
max_endpoints = 7
retention = "2d"
give_up = "1d"

[auth]
mode = "open"
insecure = true
"""


def test_every_setting_arrives_where_it_is_acted_on() -> None:
    read = settings(tomllib.loads(FULL))
    assert read.listen == Address("127.0.0.1", 8600)
    assert read.admin_listen == Address("::1", 8601)
    assert (read.store, read.store_path) == ("sqlite:///restante.db", "restante.db")
    assert (read.auth_mode, read.insecure, read.log_level) == ("open", True, "warning")
    bank = Upstream(
        name="bank",
        scheme="https",
        host="bank.example",
        port=8443,
        base_path="/api",
        authority="bank.example:8443",
        concurrency=8,
        concurrency_per_tenant=3,
        max_queued=1000,
        max_stored=2 * 1024**3,
        through_concurrency=256,
        through_rate=0.1,
        rate=10.0,
        timeout=90 * SECOND,
        connect_timeout=500 * MILLISECOND,
        retry=Retry(
            attempts=5,
            backoff=2 * SECOND,
            max_backoff=MINUTE,
            on_connect=True,
            on_codes=frozenset({502, 503}),
        ),
        preserve_host=True,
        set_headers=(("Authorization", "Bearer very-secret"), ("X-Shop", "7")),
        ca_file="ca.pem",
        client_cert="me.pem",
        client_key="me.key",
    )
    desk = Upstream(name="desk", host="::1", port=9001, authority="[::1]:9001")
    tickets = Route(
        method="POST",
        path="/channel/v0/tickets",
        upstream="desk",
        dialect=Dialect.TRANSACTION,
        transactions="/seller/v0/transactions",
        operation="create",
        interrupted=Interrupted.RECONCILE,
        priority=-5,
        tracking_id="/request/tracking_id",
        deferred=True,
        lookup=Lookup(
            target="/v2/tracking/{tracking_id}?a=1",
            found="/transactions/0/uid",
            answer="/transactions/0",
            retry=True,
        ),
        data=(("ticket_id", "/id"),),
        messages=(("completed", "Criação de ticket bem sucedida"),),
    )
    payments = Route(
        path="/transactions/*",
        upstream="bank",
        tracking_id="X-Order",
        callback="/request/notification_url",
    )
    assert read.policy == Policy(
        upstreams={"bank": bank, "desk": desk},
        routes=(tickets, payments),
        limits=Limits(
            max_body=1024 * 1024,
            max_result=4096,
            max_queued=1000,
            max_queued_per_tenant=100,
            max_stored_per_tenant=1024**3,
            rate_per_tenant=50.0,
            max_waiting=50,
            events=60,
            streams=70,
            retention=parse_duration("12h"),
            history=parse_duration("14d"),
            grace=5 * SECOND,
        ),
        connections=Connections(
            most=80,
            head=32 * 1024,
            target=8 * 1024,
            head_timeout=10 * SECOND,
            body_timeout=15 * SECOND,
            idle_timeout=120 * SECOND,
        ),
        webhooks=Webhooks(
            allow=("127.0.0.0/8", "fd00::/8"),
            ports=((443, 443), (8000, 8999)),
            ca_file="receivers.pem",
            timeout=5 * SECOND,
            schedule=(0, MINUTE),
            concurrency=100,
            lane=4,
            endpoints=7,
            retention=2 * DAY,
            give_up=DAY,
        ),
        strict=True,
        accept_status=200,
        public_url="https://pay.example",
        events_url="http://10.0.0.5:8601",
        hosts=frozenset({"gateway.internal", "127.0.0.1", "::1", "pay.example", "10.0.0.5"}),
        trusted_proxies=("10.0.0.0/8", "192.168.1.7"),
        cors_origins=("https://app.example", "http://localhost:5173"),
        mask=("/cvc",),
    )


def test_an_upstream_is_all_that_must_be_given_and_the_defaults_are_those_of_the_core() -> None:
    read = settings(SMALLEST)
    upstream = Upstream(host="127.0.0.1", port=9000, authority="127.0.0.1:9000")
    assert read.policy == Policy(upstreams={"default": upstream}, hosts=frozenset({"127.0.0.1"}))
    assert read.listen == Address("127.0.0.1", 8600)


def test_by_which_names_we_are_called_matters_where_nobody_needs_a_key() -> None:
    for mode in ("keys", "passthrough"):
        assert settings({**SMALLEST, "hosts": ["a"], "auth": {"mode": mode}}).policy.hosts is None


def test_settings_do_not_depend_on_the_order_nor_change_what_they_were_given() -> None:
    raw = tomllib.loads(FULL)
    again = dict(reversed(tomllib.loads(FULL).items()))
    assert settings(raw) == settings(again)
    assert raw == tomllib.loads(FULL)


def test_what_is_told_again_is_a_configuration_that_means_the_same() -> None:
    read = settings(tomllib.loads(FULL))
    told = msgspec.json.decode(msgspec.json.encode(describe(read)))
    told["upstreams"]["bank"]["set_headers"] = dict(read.policy.upstreams["bank"].set_headers)
    assert settings(told) == read


def test_credentials_are_not_told_again() -> None:
    told = describe(settings(tomllib.loads(FULL)))
    assert "very-secret" not in str(told)
    assert told["upstreams"]["bank"]["set_headers"]["Authorization"] == HIDDEN  # type: ignore[index]


def test_what_no_route_matches_goes_to_the_only_upstream_whatever_its_name() -> None:
    read = settings({"upstreams": {"bank": {"url": "http://bank.example"}}})
    route = read.policy.route("GET", "/anything/at/all")
    assert route is not None
    assert (route.upstream, route.dialect) == ("bank", Dialect.TASK)


@pytest.mark.parametrize("extra", [{"strict": True}, {"routes": [{"match": "* /*", "upstream": "a"}]}])
def test_several_named_upstreams_do_without_a_default_where_nothing_is_left_over(
    extra: dict[str, Any],
) -> None:
    several = {"upstreams": {name: {"url": f"http://{name}.example"} for name in ("a", "b")}}
    assert len(settings(several | extra).policy.upstreams) == 2


@pytest.mark.parametrize(
    ("url", "host", "port", "base_path", "authority"),
    [
        ("http://api", "api", 80, "", "api"),
        ("https://api", "api", 443, "", "api"),
        ("http://api:80/", "api", 80, "", "api"),
        ("https://api:80/v1", "api", 80, "/v1", "api:80"),
        ("http://[::1]:9000/a/b/", "::1", 9000, "/a/b", "[::1]:9000"),
        ("http://127.0.0.1:9000", "127.0.0.1", 9000, "", "127.0.0.1:9000"),
    ],
)
def test_an_upstreams_url_is_taken_apart(
    url: str, host: str, port: int, base_path: str, authority: str
) -> None:
    upstream = settings({"upstream": {"url": url}}).policy.upstreams["default"]
    assert (upstream.host, upstream.port, upstream.base_path, upstream.authority) == (
        host,
        port,
        base_path,
        authority,
    )
    assert settings({"upstream": {"url": upstream_url(upstream)}}).policy.upstreams["default"] == upstream


@pytest.mark.parametrize("place", ["top", "auth"])
def test_others_are_let_in_only_where_that_is_said_in_so_many_words(place: str) -> None:
    said: dict[str, Any] = {"insecure": True} if place == "top" else {"auth": {"insecure": True}}
    assert settings({**SMALLEST, "listen": "0.0.0.0:0", **said}).insecure


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.8.9.1:1", "localhost:80", "[::1]:8600"])
def test_loopback_addresses_need_no_authentication(listen: str) -> None:
    address = settings({**SMALLEST, "listen": listen}).listen
    assert address.is_loopback
    assert str(address) == listen


@pytest.mark.parametrize("mode", ["keys", "passthrough"])
def test_who_asks_callers_who_they_are_may_be_reached_by_others(mode: str) -> None:
    assert settings({**SMALLEST, "listen": "0.0.0.0:0", "auth": {"mode": mode}}).auth_mode == mode


def test_every_default_is_one_that_its_own_setting_takes() -> None:
    for section in (TOP, AUTH, UPSTREAM, RETRY):
        for setting in section.settings:
            if setting.default is not None:
                setting.kind.read(setting.default)


@given(st.integers(0, LONGEST // MILLISECOND).map(lambda count: count * MILLISECOND))
def test_a_duration_is_written_as_it_is_read(microseconds: int) -> None:
    if microseconds // MILLISECOND > 999_999_999 and microseconds % SECOND:
        return  # more digits than anybody writes
    assert span(0, "").read(spell_duration(microseconds)) == microseconds


@given(st.integers(1, LARGEST))
def test_a_size_is_written_as_it_is_read(size: int) -> None:
    assert SIZE.read(spell_size(size)) == size
    assert SIZE.read(size) == size


@given(st.integers(1, 100_000), st.sampled_from(["s", "m", "h"]))
def test_a_rate_is_written_as_it_is_read(count: int, unit: str) -> None:
    per_second = RATE.read(f"{count}/{unit}")
    assert RATE.read(spell_rate(per_second)) == pytest.approx(per_second)


@given(st.text(max_size=20))
def test_any_text_is_a_value_or_a_refusal(text: str) -> None:
    for setting in (*TOP.settings, *UPSTREAM.settings, *RETRY.settings):
        try:
            setting.kind.read(setting.kind.from_text(text))
        except ValueError as error:
            assert "\n" not in str(error)
