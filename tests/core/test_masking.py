"""What people are shown: no card number, nothing that a pointer hides, and everything else as it is."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.masking import MAX_DEPTH, MAX_SHOWN, masked, masked_body, masked_record, masked_text
from restante.core.pointer import decode as decoded_bytes
from restante.core.policy import Policy, Route


def with_check_digit(digits: str) -> str:
    """`digits` and the one that makes them a card number, by the book (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return digits + str(-total % 10)


def decoded(body: bytes | str) -> Any:
    return decoded_bytes(body if isinstance(body, bytes) else body.encode())


cards = st.text("0123456789", min_size=12, max_size=18).map(with_check_digit)
around = st.text(st.characters(codec="utf-8", exclude_characters="0123456789 -"), max_size=20)


@given(cards, around, around, st.sampled_from(["", " ", "-"]), st.sampled_from([1, 4]))
def test_a_card_number_keeps_its_first_six_and_last_four(
    card: str, before: str, behind: str, between: str, group: int
) -> None:
    spelled = between.join(card[k : k + group] for k in range(0, len(card), group))
    shown = masked_text(before + spelled + behind)
    assert len(shown) == len(before + spelled + behind)
    inner = shown[len(before) : len(shown) - len(behind)]
    assert inner.replace(between or "\0", "") == card[:6] + "*" * (len(card) - 10) + card[-4:]
    assert (shown[: len(before)], shown[len(shown) - len(behind) :]) == (before, behind)


@given(cards)
def test_another_last_digit_is_no_card_number(card: str) -> None:
    other = card[:-1] + str((int(card[-1]) + 1) % 10)
    assert masked_text(other) == other


@given(cards, st.text("0123456789", min_size=20, max_size=40))
def test_a_part_of_a_longer_number_is_none(card: str, longer: str) -> None:
    assert masked_text(longer) == longer
    assert masked_text(f"{longer}{card}") == f"{longer}{card}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("4111111111111111", "411111******1111"),
        ("order 12 4111 1111 1111 1111, 3 items", "order 12 4111 11** **** 1111, 3 items"),
        ("4111-1111-1111-1111 5500-0000-0000-0004", "4111-11**-****-1111 5500-00**-****-0004"),
        ("378282246310005", "378282*****0005"),
        ("4222222222222", "422222***2222"),
        ("4111  1111 1111 1111", "4111  11** **** 1111"),
        ("4111.1111.1111.1111", "4111.11**.****.1111"),
        ("c=4111%201111%201111%201111&d=1", "c=4111%2011**%20****%201111&d=1"),
        ("c=4111+1111+1111+1111", "c=4111+11**+****+1111"),
        ("4111_1111_1111_1111", "4111_11**_****_1111"),
        ("4111&#32;1111&#32;1111&#32;1111", "4111&#32;11**&#32;****&#32;1111"),
        ("3782.822463.10005", "3782.82****.*0005"),
        ("at 4111111111111111.0", "at 411111******1111.0"),
        ("4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1", "4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1"),  # between groups only
        ("number=4111111111111111&cvc=123", "number=411111******1111&cvc=123"),
        ("411111111111111", "411111111111111"),
        ("2024-11-08T11:49:35.938000", "2024-11-08T11:49:35.938000"),
        ("id 41111111-1111-1111-8111-111111111111", "id 41111111-1111-1111-8111-111111111111"),  # a UUID
        ("", ""),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert masked_text(text) == shown


def test_pointers_hide_whatever_they_point_to() -> None:
    document = {"request": {"credit_card": {"number": "x", "holder": "J"}, "a/b": [1, {"c": 2}]}, "n": None}
    pointers = ["/request/credit_card/number", "/request/a~1b/1", "/missing/x", "/n"]
    assert masked(document, pointers) == {
        "request": {"credit_card": {"number": "…", "holder": "J"}, "a/b": [1, "…"]},
        "n": "…",
    }
    assert document["n"] is None  # a copy
    assert masked({"a": 1}, [""]) == "…"


def test_card_numbers_are_found_in_any_place_of_a_document() -> None:
    assert masked({"4111111111111111": [4111111111111111, "at 4111111111111111", True, 1.5]}) == {
        "411111******1111": ["411111******1111", "at 411111******1111", True, 1.5]
    }


def test_a_float_may_be_a_card_number() -> None:
    assert masked({"a": 4111111111111111.0, "b": 0.5}) == {"a": "411111******1111", "b": 0.5}


def test_pointers_reach_into_an_upstreams_error_and_count_from_the_data_of_a_record() -> None:
    event = {"status": "failed", "data": {"error_message": '{"status": "s", "n": 1}', "status": "s"}}
    seen = masked_record({"status": "failed", "events": [event]}, ["/status"])
    assert (seen["status"], seen["events"][0]["status"]) == ("failed", "failed")
    data = seen["events"][0]["data"]
    assert data["status"] == "…"
    assert decoded(data["error_message"]) == {"status": "…", "n": 1}
    assert masked({"error_message": '{"status": "s", "n'}, ["/status"]) == {"error_message": "…"}  # was cut
    assert masked({"error_message": "no such card"}, ["/status"]) == {"error_message": "no such card"}
    assert masked({"data": {"status": "s"}}, ["/status"]) == {"data": {"status": "s"}}  # no record


def test_what_a_route_picks_is_hidden_under_its_own_name_too() -> None:
    data = (("s", "/x"), ("card", "/request/card"), ("a/b", "/x/y"), ("t", "/xy"))
    route = Route(method="POST", path="/pay", mask=("/request/card/number",), data=data)
    policy = Policy(upstreams={}, routes=(route,), mask=("/x",))
    assert policy.masks("POST", "/pay") == ("/x", "/request/card/number", "/s", "/card/number", "/a~1b")
    assert policy.masks("POST", "/else") == ("/x",)


def test_pointers_reach_into_json_that_only_some_can_read() -> None:
    assert decoded(masked_body(b'\xef\xbb\xbf{"x": "s"}', ["/x"])) == {"x": "…"}
    assert decoded(masked_body(b'{"x": "s", "y": NaN}', ["/x"]))["x"] == "…"
    assert masked_body(b' {"x": "s", ', ["/x"]).decode() == "…"
    assert masked_body(b'{"n": "4111111111111111", "n": 1}') == b'{"n": "411111******1111", "n": 1}'


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("abc 12-", max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=4),
)


@given(json)
def test_what_holds_nothing_secret_is_shown_as_it_is(document: Any) -> None:
    assert masked(document, ["/zzz"]) == document


def test_a_body_is_written_anew_only_where_something_is_hidden() -> None:
    body = b'{"a":  1.50,\n"b":"x"}'
    assert masked_body(body, ["/c"]) is body
    assert masked_body(body, ["/b"]) == '{\n  "a": 1.5,\n  "b": "…"\n}'.encode()
    assert masked_body(rb'{"n":"411111111111111\u0031"}') == b'{\n  "n": "411111******1111"\n}'
    assert masked_body(b"\xff 4111111111111111") == b"\xff 411111******1111"


def test_it_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(5 * MAX_DEPTH):
        deep = [deep]
    assert "x" not in str(masked(deep))
    assert len(masked_text("x" * 10 * MAX_SHOWN)) == MAX_SHOWN + 1
    assert len(masked_body(b"x" * 10 * MAX_SHOWN)) == MAX_SHOWN + 3
    began = time.process_time()
    for worst in ("1 ", "1", "1-2 ", "0 "):
        masked_text(worst * MAX_SHOWN)
    assert time.process_time() - began < 20  # seconds, where looking twice at each place would take hours
