"""`restante bench`: how fast an installation is: yours, or one of its own on this machine."""

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import metadata
from pathlib import Path

import click
import msgspec

from ..client.address import EXPECTED, address
from ..client.client import Client
from ..client.submission import encoded
from .load import Broken, Found, Target, measure
from .printing import json_option, say, say_json
from .remote import KEY_VARIABLE, MISUSED, Trouble, troubles

PATIENCE_SECONDS = 30.0
"""For our own server's start, and its end."""

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"answer":"ok"}'
BODY = msgspec.json.encode({"request": {"description": "x" * 264}})
"""300 bytes."""


@click.command()
@click.option(
    "--url", metavar="URL", help="A server that runs; without it one is started, with a store of its own."
)
@click.option(
    "--path", default="/echo", metavar="PATH", help="What is submitted, behind /async. Default: /echo."
)
@click.option("--method", default="POST", metavar="METHOD", help="Default: POST.")
@click.option("--data", metavar="TEXT", help="The body. Default: 300 bytes of JSON.")
@click.option(
    "--connections", type=click.IntRange(1, 5000), default=64, metavar="NUMBER", help="Default: 64."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 60),
    default=3.0,
    metavar="NUMBER",
    help="How long they submit. Default: 3.",
)
@click.option(
    "--lives",
    type=click.IntRange(1, 10_000),
    default=300,
    metavar="NUMBER",
    help="Of how many the latency is measured. Default: 300.",
)
@click.option(
    "--store", metavar="URL", help="Of the server that is started. Default: a file here, removed again."
)
@click.option(
    "--key",
    envvar=KEY_VARIABLE,
    metavar="KEY",
    help=f"An access key for --url; also in the environment as {KEY_VARIABLE}.",
)
@json_option
def bench(
    url: str | None,
    path: str,
    method: str,
    data: str | None,
    connections: int,
    seconds: float,
    lives: int,
    store: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Measures accepts, whole lives and latency, on the machine that it runs on. With --url, each request
    reaches the upstream of that server, thousands of them: choose a PATH that does no harm. Otherwise there
    is an upstream that answers at once."""
    if url is not None and store is not None:
        raise click.UsageError("--store is for a server that is started: it goes without --url")
    with _ours(store) if url is None else nullcontext(url) as at:
        try:
            target = _target(at, key, method.upper(), encoded(path), BODY if data is None else data.encode())
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        try:
            found = _run(target, connections=connections, seconds=seconds, lives=lives)
        except OSError as error:
            raise Trouble(f"{at}: {error.strerror or 'an error of the operating system'}") from None
        except (Broken, TimeoutError):
            raise Trouble(f"{at}: the connection was lost; is it a Restante server?") from None
    _print(found, target, connections=connections, seconds=seconds, as_json=as_json)


def _run(target: Target, *, connections: int, seconds: float, lives: int) -> Found:
    import uvloop  # only here, so that the other commands start in no time

    return uvloop.run(measure(target, connections=connections, seconds=seconds, lives=lives))


def _target(url: str, key: str | None, method: str, path: str, body: bytes) -> Target:
    """What is sent; one submit is made, so that what is wrong is said before there are many."""
    fields = [("Content-Type", "application/json")]
    content = None if method == "GET" else body
    try:
        with troubles(), Client(url, key=key, patience=0) as client:
            client.submit(method, path, content=content, headers=fields if content else [])
        at = address(url)
    except ValueError as error:
        raise click.UsageError(f"{'--url' if str(error) == EXPECTED else '--key'}: {error}") from None
    headers = () if key is None else (f"Restante-Key: {key}",)
    return Target(at=at, method=method, path=f"/async{path}", body=content or b"", headers=headers)


@contextmanager
def _ours(store: str | None) -> Iterator[str]:
    """A server in a process of its own, with the settings that it has where nobody sets any."""
    with tempfile.TemporaryDirectory(prefix="restante-bench-", dir=".") as folder, _upstream() as behind:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        command = [sys.executable, "-m", "restante", "serve", "--listen", f"127.0.0.1:{port}"]
        command += ["--upstream", behind, "--log-level", "error"]
        command += ["--store", store or f"sqlite:///{Path(folder, 'bench.db').resolve()}"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            _started(server, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.communicate(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.communicate()


def _started(server: "subprocess.Popen[str]", port: int) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS
    while server.poll() is None and time.monotonic() < patience:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    said = server.stderr.readline().strip() if server.stderr is not None and server.poll() is not None else ""
    raise Trouble(said.removeprefix("restante: ") or "the server did not start", MISUSED)


@contextmanager
def _upstream() -> Iterator[str]:
    """One that answers at once, in a process of its own; its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        code = "import sys; from restante.cli.bench import answer_all; answer_all(int(sys.argv[1]))"
        command = [sys.executable, "-c", code, str(listener.fileno())]
        child = subprocess.Popen(command, pass_fds=[listener.fileno()])
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield url
    finally:
        child.terminate()
        child.wait(PATIENCE_SECONDS)


def answer_all(handle: int) -> None:
    """Serves the listener with this handle until it is ended."""
    import uvloop

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = transport
            self._held = b""

        def data_received(self, data: bytes) -> None:
            self._held += data
            while (end := self._held.find(b"\r\n\r\n")) >= 0:
                head = self._held[:end].lower()
                _, found, rest = head.partition(b"\r\ncontent-length:")
                size = int(rest.split(b"\r\n", 1)[0]) if found else 0
                if len(self._held) < end + 4 + size:
                    return
                self._held = self._held[end + 4 + size :]
                self._transport.write(ANSWER)  # type: ignore[attr-defined]

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Answering, sock=socket.socket(fileno=handle))
        await server.serve_forever()

    uvloop.run(serve())


def _print(found: Found, target: Target, *, connections: int, seconds: float, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "url": target.at.url,
                "request": f"{target.method} {target.path}",
                "body_bytes": len(target.body),
                "connections": connections,
                "seconds": seconds,
                **msgspec.to_builtins(found),
                "version": metadata.version("restante"),
            }
        )
        return
    accept, life, latency = found.accept, found.life, found.latency
    say(f"{target.method} {target.path}, {len(target.body)} bytes, on {target.at.url}")
    say(
        f"accept   {accept.per_second:10,.0f} /s   {connections} connections for {seconds:g} s: "
        f"p50 {accept.p50_ms:.1f} ms, p99 {accept.p99_ms:.1f} ms"
    )
    say(
        f"life     {life.per_second:10,.0f} /s   "
        f"from the first submit to the last result: {life.seconds:.1f} s"
    )
    say(
        f"latency  {latency.p50_ms:10.1f} ms   from a submit to its result, one at a time: "
        f"p50 of {latency.count:,}, p99 {latency.p99_ms:.1f} ms"
    )
    if not 200 <= found.answered < 300:
        say(f"restante: the results were {found.answered}; see --path and --data", err=True)
    if accept.refused:
        say(f"restante: {accept.refused:,} submits were refused (429 or 503)", err=True)
