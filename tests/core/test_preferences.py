"""`Prefer` (RFC 7240): what is understood, and that nothing a caller writes is an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.preferences import MAX_WAIT_SECONDS, NONE, Preferences, parse_prefer, preferences


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([b"respond-async"], Preferences(True)),
        ([b"Respond-Async"], Preferences(True)),
        ([b'respond-async=""'], Preferences(True)),
        ([b"respond-async="], Preferences(True)),
        ([b"respond-async, wait=10"], Preferences(True, 10)),
        ([b"respond-async", b"wait=10"], Preferences(True, 10)),
        ([b'wait="10"'], Preferences(False, 10)),
        ([b'wait="1\\0"'], Preferences(False, 10)),
        ([b"WAIT = 7"], Preferences(False, 7)),
        ([b"wait=0"], Preferences(False, 0)),
        ([b"wait=21"], Preferences(False, MAX_WAIT_SECONDS)),
        ([b"wait=999999999999999999"], Preferences(False, MAX_WAIT_SECONDS)),
        ([b"wait=5; a=b;c, wait=9"], Preferences(False, 5)),
        ([b"wait=5;"], Preferences(False, 5)),
        ([b"wait=5, wait=9"], Preferences(False, 5)),
        ([b"wait"], NONE),
        ([b"wait=-1"], NONE),
        ([b"wait=1.5"], NONE),
        ([b"wait=1e1"], NONE),
        (["wait=\N{SUPERSCRIPT TWO}".encode("latin-1")], NONE),
        ([b"wait=5 seconds"], NONE),
        ([b'wait="5'], NONE),
        ([b'wait="5, respond-async', b"wait=6"], Preferences(False, 6)),
        ([b'a="b, wait=3", wait=4'], Preferences(False, 4, b'a="b, wait=3"')),
        ([b" , ,wait=4,,"], Preferences(False, 4)),
        ([b"return=minimal, respond-async;x, handling=lenient"], Preferences(
            True, None, b"return=minimal, handling=lenient"
        )),
        ([b""], NONE),
    ],
)  # fmt: skip
def test_what_is_understood(fields: list[bytes], expected: Preferences) -> None:
    assert parse_prefer(fields) == expected


def test_only_the_field_counts() -> None:
    assert preferences([(b"x-prefer", b"wait=1"), (b"prefer", b"wait=2"), (b"prefer", b"respond-async")]) == (
        Preferences(True, 2)
    )
    assert preferences([(b"host", b"x")]) is NONE


@pytest.mark.parametrize(
    "member",
    [
        b"a" + b";  " * 20_000 + b"(",
        b"a=" + b" " * 60_000 + b"(",
        b"a;" + b" " * 60_000 + b"(",
        b"a" + b";b =" * 15_000 + b"(",
        b'a="' + b"\\" * 60_000,
        b'"a"' * 20_000 + b"(",
        b'"' * 60_001,
    ],
)
def test_what_can_be_read_in_many_ways_takes_no_longer(member: bytes) -> None:
    assert parse_prefer([member]).wait_seconds is None


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_nothing_that_is_written_is_an_error(fields: list[bytes]) -> None:
    found = parse_prefer(fields)
    assert found.wait_seconds is None or 0 <= found.wait_seconds <= MAX_WAIT_SECONDS
    assert not any(byte in found.others for byte in b"\r\n")


TOKENS = st.text("abcXYZ019-_.!", min_size=1, max_size=8).filter(
    lambda text: text.lower() not in ("wait", "respond-async")
)
VALUES = st.one_of(
    TOKENS, st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).map(
        lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
)  # fmt: skip
SPACE = st.sampled_from(["", " ", "\t", "  "])


@st.composite
def others(draw: st.DrawFn) -> str:
    text = draw(TOKENS)
    if draw(st.booleans()):
        text += draw(SPACE) + "=" + draw(SPACE) + draw(VALUES)
    for _ in range(draw(st.integers(0, 2))):
        text += draw(SPACE) + ";" + draw(SPACE) + draw(TOKENS) + "=" + draw(VALUES)
    return text


@given(st.data(), st.lists(others(), max_size=4), st.integers(0, 10**12), st.booleans(), st.booleans())
def test_ours_are_found_among_any_others_however_they_are_spread_over_fields(
    data: st.DataObject, rest: list[str], seconds: int, quoted: bool, respond: bool
) -> None:
    wait = f'wait="{seconds}"' if quoted else f"wait={seconds}"
    members = data.draw(st.permutations([*rest, wait, *(["respond-async"] if respond else [])]))
    cut = data.draw(st.integers(0, len(members)))
    fields = [", ".join(part).encode() for part in (members[:cut], members[cut:])]
    found = parse_prefer(fields)
    assert (found.respond_async, found.wait_seconds) == (respond, min(seconds, MAX_WAIT_SECONDS))
    kept = [member for member in members if member in rest]
    assert found.others.decode() == ", ".join(kept)


@given(st.integers(1, 3000))
def test_a_long_field_is_read_in_its_own_time(length: int) -> None:
    for piece in (b"a=;", b'"\\', b"a ", b",", b'a="', b"a;;"):
        parse_prefer([piece * length])
