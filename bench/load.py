"""What is asked of a server: wrk for many at once, one connection for one after the other.

Needs `wrk` on the PATH.
"""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Self

import msgspec
from ends import LOAD_CORE, pinned

CONNECTIONS = 64
BODY = b'{"request":{"amount":100,"currency":"USD","description":"%b","tracking_id":"t-1"}}' % (b"x" * 218)
"""300 bytes."""

POST = f"""
wrk.method = "POST"
wrk.body = [[{BODY.decode()}]]
wrk.headers["Content-Type"] = "application/json"
"""

WALK = """
local requests, at = {}, 0
function init(args)
    for path in io.lines("%s") do requests[#requests + 1] = wrk.format("GET", path) end
end
function request()
    at = at %% #requests + 1
    return requests[at]
end
"""
"""Asks the paths in a file, one after the other."""


def need_wrk() -> None:
    if not shutil.which("wrk"):
        raise SystemExit("this benchmark needs wrk (apt-get install wrk)")


def wrk(
    port: int,
    seconds: int,
    path: str = "/async/echo",
    *,
    paths: Sequence[str] = (),
    headers: Sequence[str] = (),
    connections: int = CONNECTIONS,
) -> tuple[float, int]:
    """Requests per second and how many there were: POSTs of `BODY` to `path`, or GETs of `paths`. Raises
    `SystemExit` where one was refused: what is fast at refusing is not fast."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/paths", "w") as list_of_paths:
            list_of_paths.write("\n".join(paths))
        with open(f"{folder}/script.lua", "w") as script:
            script.write(WALK % f"{folder}/paths" if paths else POST)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", f"{folder}/script.lua"]
        command += [word for header in headers for word in ("-H", header)]
        done = subprocess.run(
            pinned(LOAD_CORE, [*command, f"http://127.0.0.1:{port}{path}"]),
            capture_output=True,
            text=True,
            check=True,
        )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    count = re.search(r"(\d+) requests in", done.stdout)
    assert rate and count, done.stdout
    if count[1] == "0":
        raise SystemExit(f"wrk {path}: nothing was answered in {seconds} s")
    bad = re.search(r"Non-2xx or 3xx responses: \d+", done.stdout)
    if bad:
        raise SystemExit(f"wrk {path}: {bad[0]} of {count[1]}")
    errors = re.search(r"Socket errors: .*", done.stdout)
    if errors:
        print(f"wrk {path}: {errors[0]}", file=sys.stderr)
    return float(rate[1]), int(count[1])


class Line:
    """One connection, one request after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, method: str, path: str, body: bytes = b"", *headers: str) -> tuple[int, bytes]:
        """The status code and the body."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}", *headers]
        if method != "GET":
            lines.append(f"Content-Length: {len(body)}")
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        came = bytearray()
        while (end := came.find(b"\r\n\r\n")) < 0:
            came += self._more()
        head = bytes(came[:end]).lower()
        place = head.find(b"\r\ncontent-length:")
        size = int(head[place + 17 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        del came[: end + 4]
        while len(came) < size:
            came += self._more()
        return int(head[9:12]), bytes(came)

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise SystemExit("the server hung up")
        return data

    def submit(self, path: str = "/async/echo", body: bytes = BODY, *, headers: Sequence[str] = ()) -> str:
        """The id of a new transaction."""
        code, answer = self.ask("POST", path, body, "Content-Type: application/json", *headers)
        if code != 202:
            raise SystemExit(f"a submit was answered {code}: {answer[:200]!r}")
        id: str = msgspec.json.decode(answer)["request_id"]
        return id

    def result(self, id: str, *headers: str) -> bytes:
        """Once it is there: asked for again and again or, with `Prefer: wait=20`, once."""
        while True:
            code, body = self.ask("GET", f"/async/result/{id}", b"", *headers)
            if code != 425:
                break
        if code != 200:
            raise SystemExit(f"a result was answered {code}: {body[:200]!r}")
        return body


HELD = "Prefer: wait=20"


def latencies(port: int, count: int, *headers: str) -> list[float]:
    """Milliseconds from the first byte of a submit to the last byte of its result, of one client that does
    nothing else, sorted. The first ones, in which everything is new, do not count."""
    times = []
    with Line(port) as line:
        for number in range(count + count // 5):
            begun = time.perf_counter()
            line.result(line.submit(), *headers)
            if number >= count // 5:
                times.append((time.perf_counter() - begun) * 1000)
            time.sleep(0.001)
    return sorted(times)


def quantile(values: Sequence[float], part: float) -> float:
    """Of sorted values."""
    return values[min(int(len(values) * part), len(values) - 1)]


def answered(upstream: int) -> int:
    """How many requests the upstream on that port has answered."""
    with Line(upstream) as line:
        return int(line.ask("GET", "/-count")[1])


def until(fits, seconds: float = 120.0, pause: float = 0.01) -> None:  # type: ignore[no-untyped-def]
    """Looks again until it is so. Raises `SystemExit` after `seconds`."""
    patience = time.monotonic() + seconds
    while not fits():
        if time.monotonic() > patience:
            raise SystemExit("what was waited for did not come")
        time.sleep(pause)
