"""The reader against anything that may come: properties, and another parser's opinion."""

import contextlib
import itertools

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st

from restante.core.errors import AnswerBroken
from restante.outbound import reader
from restante.outbound.reader import AnswerReader

PIECES = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\n",
    b"HTTP/1.1 700 X\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"X: \xe9\r\n",
    b" folded\r\n",
    b"\r\n",
    b"hello",
    b"5\r\nhello\r\n",
    b"5;a=b\r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
]

answers = st.lists(
    st.one_of(st.sampled_from(PIECES), st.sampled_from(PIECES), st.binary(min_size=1, max_size=4)),
    max_size=10,
).map(b"".join)
whole = st.builds(
    lambda first, fields, rest: first + b"".join(fields) + b"\r\n" + b"".join(rest),
    st.sampled_from(PIECES[:6]),
    st.lists(st.sampled_from(PIECES[7:14]), max_size=4),
    st.lists(st.sampled_from(PIECES[16:21]), max_size=4),
)

PHRASES = (
    reader.NOT_HTTP,
    reader.BODY_NOT_HTTP,
    reader.HEAD_TOO_LARGE,
    "the answer's status, ",
    "the answer came in a transfer coding",
    "the upstream switched",
    "the upstream sent too many informational answers",
    "the upstream closed the connection",
    "the answer broke off after ",
)


def read(pieces: list[bytes], *, to_head: bool = False) -> tuple[AnswerReader, bytes, str]:
    """Feeds the pieces, then the end of the stream: the reader, the body, the error if there was one."""
    it, body, error = AnswerReader(to_head=to_head), b"", ""
    try:
        for piece in pieces:
            it.feed(piece)
            body += it.fetch()
            if it.complete:
                break
        else:
            it.end()
    except AnswerBroken as broken:
        error = broken.message
    return it, body + it.fetch(), error


@given(st.one_of(answers, whole), st.booleans(), st.lists(st.integers(1, 200), max_size=5))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n", False, [5])
@settings(max_examples=1500, deadline=None)
def test_an_answer_is_the_same_however_it_is_cut(data: bytes, to_head: bool, cuts: list[int]) -> None:
    places = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(places) if a < b]
    one, one_body, one_error = read([data] if data else [], to_head=to_head)
    cut, cut_body, cut_error = read(pieces, to_head=to_head)
    assert (one.status, one.headers, one.size, one.complete) == (
        cut.status,
        cut.headers,
        cut.size,
        cut.complete,
    )
    assert bool(one_error) == bool(cut_error) == (not one.complete)
    if one.complete:
        assert one_body == cut_body
    for error in (one_error, cut_error):
        assert not error or error.startswith(PHRASES)


@given(st.one_of(answers, whole), st.sampled_from(["GET", "HEAD"]))
@settings(max_examples=1500, deadline=None)
def test_an_answer_that_leaves_the_connection_open_is_what_another_parser_reads(
    data: bytes, method: str
) -> None:
    """Where h11 disagrees about an answer's end, the connection must not serve again."""
    ours, body, _ = read([data], to_head=method == "HEAD")
    if not (ours.complete and ours.reusable):
        return
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    theirs, status, ended = b"", 0, False
    with contextlib.suppress(h11.RemoteProtocolError):
        while not ended:
            match client.next_event():
                case h11.Response() as response:
                    status = response.status_code
                case h11.Data() as piece:
                    theirs += bytes(piece.data)
                case h11.EndOfMessage():
                    ended = True
                case h11.NEED_DATA | h11.PAUSED:
                    break
        assert ended
        assert (status, theirs) == (ours.status, body)
        # An empty line too many between two answers is skipped by both sides.
        assert not client.trailing_data[0].strip(b"\r\n")


@given(st.binary(min_size=1, max_size=64))
def test_noise_is_no_answer(data: bytes) -> None:
    ours, _, error = read([data])
    assert not ours.complete
    assert error
