"""Requests that two readers of the same bytes may understand differently, and what becomes of each.

`%t` stands for the target. Behind each a second request is sent; nobody may take any of it for a part of the
first, nor a part of the first for a request.
"""

HOST = b"Host: h\r\n"
POST = b"POST %t HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: h\r\n\r\n"

REFUSED: dict[str, bytes] = {
    # lengths
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 37\r\n\r\n" + HIDDEN,
    "a length twice": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a length as a list": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "a length with a plus": POST + b"Content-Length: +5\r\n\r\nhello",
    "a length with a minus": POST + b"Content-Length: -5\r\n\r\nhello",
    "a length in hex": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "a length with an underscore": POST + b"Content-Length: 0_5\r\n\r\nhello",
    "a length with a point": POST + b"Content-Length: 5.0\r\n\r\nhello",
    "a length in two words": POST + b"Content-Length: 5 5\r\n\r\nhello",
    "a length in other digits": POST + b"Content-Length: \xb25\r\n\r\nhello",
    "a length behind a vertical tab": POST + b"Content-Length: \x0b5\r\n\r\nhello",
    "no length in the field": POST + b"Content-Length: \r\n\r\n" + HIDDEN,
    "a length over 64 bits": POST + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "a length that some read as negative": POST + b"Content-Length: 18446744073709551615\r\n\r\nhello",
    # transfer codings
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + HIDDEN,
    "gzip alone": POST + b"Transfer-Encoding: gzip\r\n\r\n" + HIDDEN,
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n" + HIDDEN,
    "identity, then chunked": (
        POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "chunked, then identity": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
    ),
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, chunked": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked, gzip": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "nothing, chunked": POST + b"Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n",
    "chunked, nothing": POST + b"Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
    "chunked with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "chunked in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked behind a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked on the next line": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "chunked with a Kelvin sign": POST + "Transfer-Encoding: chun\u212aed\r\n\r\n0\r\n\r\n".encode(),
    "no coding in the field": POST + b"Transfer-Encoding: \r\n\r\n0\r\n\r\n",
    "a coding in HTTP/1.0": (
        b"POST %t HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    ),
    # chunks
    "a chunk size with a plus": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a minus": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk size over 64 bits": CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "no chunk size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a space behind a chunk size": CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
    "a space before a chunk size": CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n",
    "a bare LF behind a chunk size": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "a bare LF behind a chunk": CHUNKED + b"5\r\nhello\n0\r\n\r\n",
    "nothing behind a chunk": CHUNKED + b"5\r\nhello0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"4\r\nhello\r\n0\r\n\r\n",
    "a bare LF in an extension": CHUNKED + b"5;a\nhello\r\n0\r\n\r\n",
    "a bare CR in an extension": CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "an extension without a name": CHUNKED + b"5;\r\nhello\r\n0\r\n\r\n",
    "a line end in quotes in an extension": CHUNKED + b'5;a="\r\n"\r\nhello\r\n0\r\n\r\n',
    "a bare LF at the end": CHUNKED + b"0\r\n\n",
    "bare LFs at the end": CHUNKED + b"0\n\n",
    "a length among the trailers": CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 37\r\n\r\n" + HIDDEN,
    "a coding among the trailers": CHUNKED + b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    # lines and fields
    "a folded field": POST + b"X: a\r\n b\r\n\r\n",
    "a field folded with a tab": POST + b"X: a\r\n\tContent-Length: 5\r\n\r\nhello",
    "a space before the first field": b"POST %t HTTP/1.1\r\n Host: h\r\n\r\n",
    "bare LFs": b"POST %t HTTP/1.1\nHost: h\n\n",
    "a bare LF behind a field": POST + b"X: y\nContent-Length: 5\r\n\r\nhello",
    "a bare LF behind the head": POST + b"\n",
    "a bare CR between fields": POST + b"X: a\rContent-Length: 5\r\n\r\nhello",
    "two CRs": POST + b"X: a\r\r\n\r\n",
    "a NUL in a value": POST + b"X: a\0b\r\n\r\n",
    "a NUL in a name": POST + b"X\0Y: b\r\n\r\n",
    "a control character in a value": POST + b"X: a\x01b\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 5\r\n\r\nhello",
    "a tab before the colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "a field without a name": POST + b": x\r\n\r\n",
    "a field without a colon": POST + b"Content-Length\r\n\r\n",
    "a space in a name": POST + b"Content Length: 5\r\n\r\nhello",
    # the first line
    "HTTP/0.9": b"GET %t\r\n",
    "HTTP/0.9, written out": b"GET %t HTTP/0.9\r\nHost: h\r\n\r\n",
    "HTTP/1.2": b"GET %t HTTP/1.2\r\nHost: h\r\n\r\n",
    "HTTP/2.0": b"GET %t HTTP/2.0\r\nHost: h\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/11": b"GET %t HTTP/11\r\nHost: h\r\n\r\n",
    "HTTP/01.1": b"GET %t HTTP/01.1\r\nHost: h\r\n\r\n",
    "http/1.1": b"GET %t http/1.1\r\nHost: h\r\n\r\n",
    "a space behind the version": b"GET %t HTTP/1.1 \r\nHost: h\r\n\r\n",
    "a space before the method": b" GET %t HTTP/1.1\r\nHost: h\r\n\r\n",
    "tabs for spaces": b"GET\t%t\tHTTP/1.1\r\nHost: h\r\n\r\n",
    "a method nobody knows": b"FETCH %t HTTP/1.1\r\nHost: h\r\n\r\n",
    "a method in lower case": b"get %t HTTP/1.1\r\nHost: h\r\n\r\n",
    # targets
    "another host's URL": b"POST http://other%t HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "a URL with a user": b"POST http://u@h%t HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "a URL with a backslash": b"POST http://h\\%t HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "another scheme": b"POST ftp://h%t HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "a name and a port": b"GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    "a tunnel": b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    "all of the server": b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "a star": b"GET * HTTP/1.1\r\nHost: h\r\n\r\n",
    "no slash": b"GET x%t HTTP/1.1\r\nHost: h\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: h\r\n\r\n",
    "a fragment": b"POST %t#x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "a fragment in the query": b"POST %t?a#x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "a space in the target": b"GET %t y HTTP/1.1\r\nHost: h\r\n\r\n",
    "a tab in the target": b"GET %t\ty HTTP/1.1\r\nHost: h\r\n\r\n",
    "a NUL in the target": b"GET %t\0 HTTP/1.1\r\nHost: h\r\n\r\n",
    "a control character in the target": b"GET %t\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
    "a DEL in the target": b"GET %t\x7f HTTP/1.1\r\nHost: h\r\n\r\n",
    "UTF-8 in the target": "GET %té HTTP/1.1\r\nHost: h\r\n\r\n".encode(),
    "an LF in the target": b"GET %t\nX: y HTTP/1.1\r\nHost: h\r\n\r\n",
    # Host
    "no host": b"POST %t HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    "an empty host": b"POST %t HTTP/1.1\r\nHost: \r\nContent-Length: 2\r\n\r\n{}",
    "two hosts": b"POST %t HTTP/1.1\r\nHost: h\r\nHost: other\r\nContent-Length: 2\r\n\r\n{}",
    "a host with a path": b"POST %t HTTP/1.1\r\nHost: h/x\r\nContent-Length: 2\r\n\r\n{}",
    "a host with a user": b"POST %t HTTP/1.1\r\nHost: u@h\r\nContent-Length: 2\r\n\r\n{}",
    "a host with a space": b"POST %t HTTP/1.1\r\nHost: a b\r\nContent-Length: 2\r\n\r\n{}",
}
"""Answered with an error, the only answer on the connection, which is closed. The upstream hears nothing, or
of a body that breaks off, never its end."""

SERVED: dict[str, tuple[bytes, bytes]] = {
    "an extension": (CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
    "an extension in quotes": (CHUNKED + b'5;a="b;c"\r\nhello\r\n0\r\n\r\n', b"hello"),
    "a trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: y\r\n\r\n", b"hello"),
    "our option as a trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nRestante-Delay: 1h\r\n\r\n", b"hello"),
    "a host as a trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nHost: other\r\n\r\n", b"hello"),
    "zeros before a chunk size": (CHUNKED + b"00000005\r\nhello\r\n000\r\n\r\n", b"hello"),
    "zeros before a length": (POST + b"Content-Length: 005\r\n\r\nhello", b"hello"),
    "a space behind a length": (POST + b"Content-Length: 5 \r\n\r\nhello", b"hello"),
    "Chunked": (POST + b"Transfer-Encoding:\tChunked \r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "a name that is nearly the coding's": (
        POST + b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
    ),
    "a request as a body": (POST + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN, HIDDEN),
    "a request as a chunk": (CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN), HIDDEN),
    "no length": (POST + b"\r\n", b""),
    "empty lines before it": (b"\r\n\r\n" + POST + b"Content-Length: 2\r\n\r\n{}", b"{}"),
    "a length named as hop by hop": (
        POST + b"Connection: content-length\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
    ),
    "an offer to upgrade, with a body": (
        POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
    ),
    "a URL on our host": (b"POST http://H%t HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
}
"""Served as one request with this body, and the one behind it as another."""
