"""Ids, schedules, envelopes, idempotency keys, durations, retention, forwarding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.clock import DAY, MILLISECOND, SECOND
from restante.core.duration import parse_duration
from restante.core.envelope import open_envelope
from restante.core.errors import BadRequest
from restante.core.forward import attempt_headers, forward_headers, target
from restante.core.headers import end_to_end
from restante.core.idempotency import parse_key
from restante.core.identity import key_of, mint
from restante.core.policy import Retry, Route, Upstream
from restante.core.retention import expired, gone
from restante.core.schedule import LONGEST_ASKED, next_attempt, retry_after
from restante.core.status import Dialect, Reading, Status
from restante.core.trace import TRACEPARENT

from .samples import NOW, SECRET, a_transaction, an_upstream


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_leads_back_to_its_row(key: int, random: bytes) -> None:
    id = mint(key, random, SECRET)
    assert key_of(id, SECRET) == key
    assert id[:8] == random[:4].hex()
    assert id[14] == "8" and id[19] in "89ab"


@given(st.text(max_size=60))
def test_any_text_may_be_asked_for_as_an_id(text: str) -> None:
    assert key_of(text, SECRET) is None or len(text) == 36


def test_ids_side_by_side_do_not_tell_how_much_lies_between() -> None:
    ids = [mint(key, bytes([key] * 10), SECRET) for key in (1, 2)]
    assert key_of(ids[0], bytes(16)) != 1
    assert ids[0][9:13] != ids[1][9:13] or ids[0][15:18] != ids[1][15:18]


@given(
    st.integers(1, 50),
    st.floats(0, 1, exclude_max=True),
    st.one_of(st.none(), st.integers(0, DAY)),
)
def test_a_retry_comes_after_half_the_backoff_and_not_before_the_upstream_wants_it(
    attempt: int, chance: float, asked: int | None
) -> None:
    retry = Retry(attempts=51)
    until = next_attempt(retry, attempt=attempt, now=NOW, chance=chance, retry_after=asked)
    ceiling = min(retry.max_backoff, retry.backoff * 2 ** (attempt - 1))
    assert until is not None
    assert until - NOW >= max(ceiling // 2, asked or 0)
    assert until - NOW <= max(ceiling, asked or 0)


@given(st.integers(1, 10), st.integers(1, 10))
def test_tries_are_spent_after_attempts(attempts: int, attempt: int) -> None:
    until = next_attempt(Retry(attempts=attempts), attempt=attempt, now=NOW, chance=0.0)
    assert (until is None) == (attempt >= attempts)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"120", 120 * SECOND),
        (b"Tue, 14 Nov 2023 22:13:30 GMT", 10 * SECOND),
        (b"Tue, 14 Nov 2000 22:13:30 GMT", 0),
        (b"soon", None),
        (b"-5", None),
        (b"99999999999", LONGEST_ASKED),
        (b"9" * 5000, LONGEST_ASKED),
        (b"0" * 5000 + b"120", 120 * SECOND),
        (b"\xff", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(raw: bytes | None, expected: int | None) -> None:
    assert retry_after(raw, NOW) == expected


@given(st.binary(max_size=40))
def test_no_retry_after_breaks_anything(raw: bytes) -> None:
    assert (retry_after(raw, NOW) or 0) >= 0


@pytest.mark.parametrize(
    ("text", "span"), [("500ms", 500 * MILLISECOND), ("3s", 3 * SECOND), ("24h", DAY), ("30d", 30 * DAY)]
)
def test_durations(text: str, span: int) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "5", "5 s", "-1s", "1.5h", "5sec", "s", "1h30m", "٣s", "٣s\n\n1"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


def test_framing_hop_by_hop_and_our_own_fields_do_not_go_on() -> None:
    envelope = open_envelope(
        [
            (b"host", b"pay.example"),
            (b"connection", b"close, x-drop"),
            (b"x-drop", b"1"),
            (b"te", b"trailers"),
            (b"content-length", b"12"),
            (b"expect", b"100-continue"),
            (b"restante-transaction", b"forged"),
            (b"restante_attempt", b"forged"),
            (b"transfer_encoding", b"chunked"),
            (b"x_name", b"kept"),
            (b"authorization", b"Basic abc"),
            (b"x-name", b"caf\xe9"),
            (b"x-twice", b"1"),
            (b"x-twice", b"2"),
        ]
    )
    assert envelope.kept == (
        (b"host", b"pay.example"),
        (b"x_name", b"kept"),
        (b"authorization", b"Basic abc"),
        (b"x-name", b"caf\xe9"),
        (b"x-twice", b"1"),
        (b"x-twice", b"2"),
    )
    assert envelope.length == 12
    assert envelope.authorization == b"Basic abc"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"restante-delay", b"soon"),
        (b"restante_delay", b"1s"),
        (b"restante-foo", b"1"),
        (b"restante-deadline", b"0s"),
        (b"restante-deadline", b"2 minutes"),
        (b"restante-priority", b"high"),
        (b"restante-priority", b"1000"),
        (b"restante-tracking-id", b""),
        (b"restante-tracking-id", b"x" * 256),
        (b"content-length", b"-1"),
    ],
)
def test_a_bad_option_is_a_400_that_names_it(name: bytes, value: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        open_envelope([(name, value)])
    assert refused.value.field.lower().encode() == name
    assert refused.value.field in refused.value.message or b"foo" in name or b"_" in name


def test_what_the_settings_say_replaces_a_callers_field_however_it_is_spelled() -> None:
    upstream = Upstream(host="h", port=1, authority="h", set_headers=(("X-Api-Key", "ours"),))
    kept = ((b"x_api_key", b"forged"), (b"x_api-key", b"forged"), (b"x_other", b"1"))
    assert forward_headers(kept, upstream) == ((b"Host", b"h"), (b"x_other", b"1"), (b"X-Api-Key", b"ours"))


def test_two_idempotency_keys_are_refused() -> None:
    with pytest.raises(BadRequest):
        open_envelope([(b"idempotency-key", b"a"), (b"idempotency-key", b"b")])


@pytest.mark.parametrize(
    ("raw", "key"), [(b'"8e03978e"', "8e03978e"), (b"8e03978e", "8e03978e"), (b'"a\\"b"', 'a"b')]
)
def test_a_key_may_be_quoted_or_bare(raw: bytes, key: str) -> None:
    assert parse_key(raw, "Idempotency-Key") == key


@pytest.mark.parametrize("raw", [b"", b'""', b"x" * 256, b"a\x01b"])
def test_a_key_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_key(raw, "RequestID")


@pytest.mark.parametrize(
    ("route", "method", "path", "matches"),
    [
        (Route(method="POST", path="/channel/v0/tickets"), "POST", "/channel/v0/tickets", True),
        (Route(method="POST", path="/channel/v0/tickets"), "GET", "/channel/v0/tickets", False),
        (Route(method="POST", path="/channel/v0/tickets"), "POST", "/channel/v0/tickets/", False),
        (Route(path="/a/*"), "PUT", "/a/b/c", True),
        (Route(path="/a/*"), "PUT", "/a", False),
        (Route(path="/a/*/end"), "PUT", "/a/b/end", True),
        (Route(path="/a/*/end"), "PUT", "/a/end", False),
        (Route(path="/a"), "PUT", "/%61", False),
    ],
)
def test_a_route_matches_paths_as_they_came(route: Route, method: str, path: str, matches: bool) -> None:
    assert route.matches(method, path) is matches


def test_retention_is_to_the_microsecond() -> None:
    done = a_transaction(status=Status.COMPLETED)
    assert not expired(done, NOW + DAY - 1)
    assert expired(done, NOW + DAY)
    assert not expired(a_transaction(), NOW + 2 * DAY)


def test_an_error_that_was_read_is_gone_and_a_result_that_was_read_is_not() -> None:
    assert gone(a_transaction(status=Status.FAILED, reading=Reading.READ), NOW)
    assert not gone(a_transaction(status=Status.FAILED, reading=Reading.RESERVED), NOW)
    assert not gone(a_transaction(status=Status.COMPLETED, reading=Reading.READ), NOW)
    assert not gone(a_transaction(status=Status.CANCELLED, reading=Reading.READ), NOW)


def test_hop_by_hop_fields_of_an_answer_are_dropped_and_the_rest_is_untouched() -> None:
    headers = (
        (b"Set-Cookie", b"a=1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"X-Secret"),
        (b"X-Secret", b"1"),
        (b"set-cookie", b"b=2"),
    )
    assert end_to_end(headers) == ((b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"))


def test_the_upstream_sees_its_own_host_and_its_own_credentials() -> None:
    upstream = Upstream(
        host="bank", port=80, authority="bank", set_headers=(("Authorization", "Bearer own"),)
    )
    kept = ((b"host", b"pay.example"), (b"authorization", b"caller"), (b"x", b"1"))
    assert forward_headers(kept, upstream) == (
        (b"Host", b"bank"),
        (b"x", b"1"),
        (b"Authorization", b"Bearer own"),
    )


def test_preserve_host_keeps_the_callers() -> None:
    upstream = Upstream(host="bank", port=80, authority="bank", preserve_host=True)
    assert forward_headers(((b"host", b"pay.example"),), upstream)[0] == (b"Host", b"pay.example")


def test_all_attempts_are_in_one_trace_each_with_a_parent_of_its_own() -> None:
    caller = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    for kept, trace in (
        ((caller,), b"0af7651916cd43dd8448eb211c80319c"),
        ((), a_transaction().id.replace("-", "").encode()),
        (((b"traceparent", b"00-junk"),), a_transaction().id.replace("-", "").encode()),
    ):
        seen = dict(attempt_headers(kept, an_upstream(), a_transaction(), attempt=1))
        again = dict(attempt_headers(kept, an_upstream(), a_transaction(), attempt=2))
        first, second = seen[b"traceparent"].split(b"-"), again[b"traceparent"].split(b"-")
        assert first[1] == second[1] == trace and first[2] != second[2]
        assert TRACEPARENT.fullmatch(seen[b"traceparent"])


def test_the_callers_idempotency_key_is_the_upstreams() -> None:
    def keys(kept: tuple[tuple[bytes, bytes], ...]) -> list[bytes]:
        headers = attempt_headers(kept, an_upstream(), a_transaction(), attempt=2)
        return [value for name, value in headers if name.lower() == b"idempotency-key"]

    assert keys(((b"idempotency-key", b"mine"),)) == [b"mine"]
    assert keys(()) == [a_transaction().id.encode()]


def test_an_answer_we_have_to_read_is_asked_for_unencoded() -> None:
    transaction = a_transaction(dialect=Dialect.TRANSACTION)
    kept = ((b"accept-encoding", b"gzip"),)
    seen = attempt_headers(kept, an_upstream(), transaction, attempt=1)
    assert [v for n, v in seen if n.lower() == b"accept-encoding"] == [b"identity"]
    seen = attempt_headers(kept, an_upstream(), a_transaction(), attempt=1)
    assert [v for n, v in seen if n.lower() == b"accept-encoding"] == [b"gzip"]


def test_the_target_is_base_path_path_and_query_as_they_came() -> None:
    upstream = Upstream(host="bank", port=80, authority="bank", base_path="/v1")
    assert target(upstream, "/a%2Fb//c", "x=%20&y") == "/v1/a%2Fb//c?x=%20&y"
    assert target(upstream, "/a", "") == "/v1/a"


@pytest.mark.parametrize("raw", [b'"unclosed', b'unopened"'])
def test_a_key_with_a_quote_at_one_end_only_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="quote"):
        parse_key(raw, "Idempotency-Key")
