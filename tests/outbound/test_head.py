"""The bytes of a request's head."""

import pytest

from restante.outbound.head import request_head


def test_a_head_is_written_as_given() -> None:
    headers = ((b"Host", b"a:1"), (b"x-Odd-CASE", b"\xe9\xff \x01"), (b"X-Twice", b"1"), (b"X-Twice", b""))
    assert request_head("GET", "/p\xe9?q=%2F", headers, 0) == (
        b"GET /p\xe9?q=%2F HTTP/1.1\r\n"
        b"Host: a:1\r\nx-Odd-CASE: \xe9\xff \x01\r\nX-Twice: 1\r\nX-Twice: \r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "size", "line"),
    [
        ("POST", 0, b"Content-Length: 0\r\n"),
        ("PUT", 0, b"Content-Length: 0\r\n"),
        ("PATCH", 0, b"Content-Length: 0\r\n"),
        ("POST", 12, b"Content-Length: 12\r\n"),
        ("GET", 12, b"Content-Length: 12\r\n"),
        ("DELETE", 12, b"Content-Length: 12\r\n"),
        ("GET", 0, b""),
        ("HEAD", 0, b""),
        ("DELETE", 0, b""),
        ("OPTIONS", 0, b""),
        ("POST", None, b"Transfer-Encoding: chunked\r\n"),
        ("GET", None, b"Transfer-Encoding: chunked\r\n"),
    ],
)
def test_a_length_is_told_where_there_is_a_body_or_one_is_expected(
    method: str, size: int | None, line: bytes
) -> None:
    assert request_head(method, "/", (), size) == method.encode() + b" / HTTP/1.1\r\n" + line + b"\r\n"


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\n", "\0", "a\r\nX: y"])
def test_no_line_end_or_nul_gets_into_a_head(bad: str) -> None:
    raw = bad.encode()
    for method, target, headers in [
        (f"GE{bad}T", "/", ()),
        ("GET", f"/{bad}", ()),
        ("GET", "/", ((b"X-" + raw, b"1"),)),
        ("GET", "/", ((b"X", b"1" + raw),)),
        ("GET", "/", ((b"X", raw + b"1"),)),
    ]:
        for size in (0, 5, None):
            with pytest.raises(ValueError):
                request_head(method, target, headers, size)


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        ("", "/", b"X"),
        ("G T", "/", b"X"),
        ("GÉT", "/", b"X"),
        ("GET", "", b"X"),
        ("GET", "/ HTTP/1.1", b"X"),
        ("GET", "/\tx", b"X"),
        ("GET", "/\u20ac", b"X"),
        ("GET", "/", b""),
        ("GET", "/", b"X:"),
        ("GET", "/", b"X y"),
        ("GET", "/", b"\xe9"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(method: str, target: str, name: bytes) -> None:
    with pytest.raises(ValueError):
        request_head(method, target, ((b"A", b"1"), (name, b"2"), (b"B", b"3")), 0)
    if not name:
        with pytest.raises(ValueError):
            request_head(method, target, ((name, b"2"),), 0)


@pytest.mark.parametrize("name", [b"content-length", b"Content-Length", b"TRANSFER-ENCODING"])
def test_framing_among_the_headers_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError):
        request_head("POST", "/", ((b"Host", b"a"), (name, b"5")), 5)


def test_names_that_only_look_like_framing_pass() -> None:
    assert b"X-Content-Length: 5\r\n" in request_head("POST", "/", ((b"X-Content-Length", b"5"),), 5)
