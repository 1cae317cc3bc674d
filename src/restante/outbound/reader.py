"""Bytes in, an answer out: where it begins, where it ends, whether its connection may serve again.

The parser (llhttp) finds the boundaries; this class judges them. It is strict where two readers might
disagree about where an answer ends, for then the next answer on the connection would be somebody else's.
What cannot be read to its end is `AnswerBroken`, never half an answer taken for a whole one. No I/O here.
"""

from typing import NoReturn

from httptools import HttpResponseParser

from ..core.errors import AnswerBroken
from ..core.headers import WITHOUT_BODY
from ..core.model import Headers

MAX_HEAD = 64 * 1024  # bytes of the header section, and of anything else that is not body
MAX_INFORMATIONAL = 16  # 1xx answers before the final one
PIECE_COST = 64  # what a piece costs in memory beside its bytes


CONNECTION = b"connection"
CONTENT_LENGTH = b"content-length"
TRANSFER_ENCODING = b"transfer-encoding"

NOT_HTTP = "what came back was not a valid HTTP answer"
BODY_NOT_HTTP = "the answer's body was not valid HTTP"
HEAD_TOO_LARGE = "the answer's header section was too large"


class AnswerReader:
    """Reads one final answer. `to_head` tells that it answers a HEAD request.

    `status` is 0 until the final head is here; `size` is the announced length, 0 where there can be no
    body, None for "until the end". Trailers and informational answers are dropped.
    """

    def __init__(self, *, to_head: bool) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.size: int | None = None
        self.complete = False
        self.reusable = True  # whether the connection may serve again, once complete
        self.received = 0  # body bytes
        self.unread = 0  # what the pieces not yet fetched cost in memory
        self._to_head = to_head
        self._chunked = False
        self._fields: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._overhead = 0  # bytes since the last body byte
        self._informational = 0
        self._why = NOT_HTTP  # the phrase, if the parser stops
        self._parser: HttpResponseParser | None = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Takes bytes from the upstream. Raises `AnswerBroken`."""
        parser = self._parser
        if parser is None:
            return
        received = self.received
        self._overhead += len(data)
        try:
            if self._overhead == len(data) and not self.status and data[0] != 0x48:  # not the H of HTTP/
                raise ValueError
            parser.feed_data(data)
        except Exception as error:  # whatever the parser raises, it is about what came in
            if not self.complete:
                self.stop()
                raise AnswerBroken(self._why, sent=True) from error
            self.reusable = False  # bytes after the answer
        if self.received != received:
            self._overhead = 0
        if self.complete:
            if self.size == 0 and not data.endswith(b"\r\n\r\n"):
                self.reusable = False
            self.stop()
        elif self._overhead > MAX_HEAD:
            self.stop()
            raise AnswerBroken(HEAD_TOO_LARGE, sent=True)

    def end(self) -> None:
        """The upstream has said that nothing more will come. Raises `AnswerBroken` where more was due."""
        if not (self.status and self.size is None and not self._chunked):
            raise self.broken_off()
        self.complete = True
        self.reusable = False
        self.stop()

    def broken_off(self) -> AnswerBroken:
        """What to say where the connection is gone."""
        if self.status and self.size is not None:
            phrase = f"the answer broke off after {self.received} of {self.size} bytes"
        elif self.status:
            phrase = f"the answer broke off after {self.received} bytes"
        elif self._overhead:
            phrase = "the upstream closed the connection in the middle of the answer's head"
        else:
            phrase = "the upstream closed the connection before answering"
        return AnswerBroken(phrase, sent=True)

    def fetch(self) -> bytes:
        """The body bytes that came since the last call."""
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.unread = 0
        return data

    def stop(self) -> None:
        """Reads no further. The parser knows this object's methods: kept, the two would be a ring."""
        self._parser = None

    # What the parser finds. It stops at whatever is raised here.

    def on_message_begin(self) -> None:
        if self.complete:
            raise ValueError("bytes after the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # later ones are trailers
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refuse(NOT_HTTP)
        if 100 <= status < 200:
            self._skip_informational(status)
            return
        if not 200 <= status <= 599:
            self._refuse(f"the answer's status, {status}, is none that HTTP knows")
        if self._overhead > MAX_HEAD and sum(len(n) + len(v) + 4 for n, v in self._fields) > MAX_HEAD:
            self._refuse(HEAD_TOO_LARGE)
        self._read_framing(version)
        self.headers = tuple(self._fields)
        self.status = status
        self._why = BODY_NOT_HTTP
        if self._to_head or status in WITHOUT_BODY:
            self.size = 0
            self.complete = True

    def on_body(self, piece: bytes) -> None:
        if self.complete:
            raise ValueError("a body where there can be none")
        self._pieces.append(piece)
        self.received += len(piece)
        self.unread += len(piece) + PIECE_COST

    def on_message_complete(self) -> None:
        if not self.status:  # an informational answer
            return
        if self.complete and self._chunked and self.status not in WITHOUT_BODY:
            raise ValueError("the end of a body in an answer to HEAD")
        self.complete = True

    def _skip_informational(self, status: int) -> None:
        if status == 101:
            self._refuse("the upstream switched to another protocol")
        self._informational += 1
        if self._informational > MAX_INFORMATIONAL:
            self._refuse("the upstream sent too many informational answers")
        self._fields.clear()

    def _read_framing(self, version: str) -> None:
        """Length, chunked coding, and whether the connection may stay open (RFC 9112 §6.3, §9.3)."""
        persistent = version == "1.1"
        for name, value in self._fields:
            match len(name):
                case 14 if name.lower() == CONTENT_LENGTH:
                    self.size = int(value)
                case 10 if name.lower() == CONNECTION:
                    options = [option.strip() for option in value.lower().split(b",")]
                    persistent = persistent or b"keep-alive" in options
                    self.reusable = self.reusable and b"close" not in options
                case 17 if name.lower() == TRANSFER_ENCODING:
                    if self._chunked or value.strip().lower() != b"chunked":
                        self._refuse("the answer came in a transfer coding that was not asked for")
                    self._chunked = True
                    persistent = persistent and version == "1.1"
        self.reusable = self.reusable and persistent

    def _refuse(self, phrase: str) -> NoReturn:
        self._why = phrase
        raise ValueError(phrase)
