"""The API behind the gateway in the tests of the command line."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

Answer = tuple[int, list[tuple[str, str]], bytes]


class Seen(msgspec.Struct):
    """A request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Web(ThreadingHTTPServer):
    """Answers with what `answer` says; `came` is everything that was asked."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Seen], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.came: list[Seen] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def last(self) -> Seen:
        return self.came[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(self.command, self.path, self.headers.items(), body)
        self.server.came.append(seen)
        code, headers, content = self.server.answer(seen)
        if not code:  # hangs up
            self.close_connection = True
            return
        self.send_response_only(code)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = any(name == "Connection" for name, _ in headers)

    def log_message(self, format: str, *arguments: Any) -> None: ...


@contextmanager
def serving(answer: Callable[[Seen], Answer]) -> Iterator[Web]:
    with Web(answer) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield web
        web.shutdown()
