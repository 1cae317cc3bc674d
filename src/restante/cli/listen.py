"""`restante listen`: a receiver of webhooks for whoever writes one: verifies what comes in, and prints it.

Nothing that came is trusted on its way to the terminal: control characters are shown, not sent. Credentials
are not printed at all.
"""

import asyncio
import base64
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from .logs import set_up_logs
from .masks import for_eyes, raw_option
from .printing import Document, columns, json_option, plain, row, say, say_json, styled
from .remote import MISUSED, Trouble

HOST = "127.0.0.1"
PORT = 8601
RIGHT, WRONG, NOT_A_POST, TOO_LARGE = 204, 400, 405, 413

MAX_BODY = 16 * 1024 * 1024
MAX_AT_ONCE = 100
GRACE_SECONDS = 2
SHOWN_LINES = 40
"""Lines of a body that are shown on a terminal; elsewhere all are."""

SECRET_FIELDS = frozenset({"authorization", "proxy-authorization", "cookie"})

Pairs = list[tuple[str, str]]
Judge = Callable[[Pairs, bytes], Document]


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, metavar="N", help=f"Default: {PORT}; 0 takes any."
)
@click.option("--host", default=HOST, metavar="HOST", help=f"The address to listen on. Default: {HOST}.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="whsec_…",
    help="What the endpoint's webhooks are signed with; twice while it is changed.",
)
@click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="The same for endpoints with signature content: the public key, as PEM.",
)
@click.option(
    "--respond",
    type=click.IntRange(200, 599),
    metavar="CODE",
    help=f"Answer everything so. Default: {RIGHT}, and {WRONG} where the signature is wrong.",
)
@json_option
@raw_option
def listen(
    port: int,
    host: str,
    secrets: tuple[str, ...],
    public_keys: tuple[str, ...],
    respond: int | None,
    as_json: bool,
) -> int:
    """Waits for webhooks, verifies their signatures and prints what came. Where a signature is wrong it says
    why: its age, its key, a body that was changed on the way. With --json each is one line, after one that
    names the address. Ctrl-C ends it, with exit code 0."""
    set_up_logs("warning")
    judge = _judge(secrets, public_keys)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise Trouble(f"cannot listen on {host}:{port}: {error.strerror or error}", MISUSED) from None
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    if as_json:
        say_json({"listens": address}, line=True)
    else:
        say(f"listens on {address}\nCtrl-C ends it.\n")
    receiver = _Receiver(judge, respond=respond, tell=_tell_json if as_json else _tell)
    asyncio.run(_serve(receiver, listener))
    if receiver.unheard is not None:
        raise receiver.unheard
    return 0


def _judge(secrets: Sequence[str], files: Sequence[str]) -> Judge:
    """What is said about a webhook's signature. Raises `Trouble` for keys that are none."""
    from ..webhooks import BadRequest, Fault, SignatureRefused, verify
    from ..webhooks.diagnosis import diagnosis
    from ..webhooks.keys import public_key, secret_bytes

    if secrets and files:
        raise click.UsageError("give either --secret or --public-key: an endpoint signs in one way")
    keys = list(secrets) or [_read(file) for file in files]
    for key in keys:
        try:
            (secret_bytes if secrets else public_key)(key)
        except BadRequest as error:
            raise Trouble(f"{'--secret' if secrets else '--public-key'}: {error.message}", MISUSED) from None

    def judge(headers: Pairs, body: bytes) -> Document:
        if not keys:
            return {"verified": None, "why": "not verified: give --secret or --public-key"}
        try:
            verify(headers, body, keys, now=time.time)
        except SignatureRefused as error:
            why = diagnosis(headers, body, keys) if error.fault is Fault.WRONG else str(error)
            return {"verified": False, "fault": error.fault, "why": why}
        return {"verified": True}

    return judge


def _read(file: str) -> str:
    try:
        return Path(file).read_text("ascii")
    except OSError as error:
        raise Trouble(f"--public-key: {file}: {error.strerror}", MISUSED) from None
    except UnicodeDecodeError:
        raise Trouble(f"--public-key: {file} is not a PEM file", MISUSED) from None


class _Receiver:
    """The ASGI app. `unheard` is set once nobody reads what is printed."""

    def __init__(self, judge: Judge, *, respond: int | None, tell: Callable[[Document], None]) -> None:
        self.unheard: BrokenPipeError | None = None
        self.stop: Callable[[], None] = lambda: None
        self._judge = judge
        self._respond = respond
        self._tell = tell

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, missing = await _body(receive)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        seen: Document = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "method": scope["method"],
            "target": (scope["raw_path"] + b"?" * bool(scope["query_string"]) + scope["query_string"]).decode(
                "latin-1"
            ),
            "headers": {name: "…" if name in SECRET_FIELDS else value for name, value in headers},
        }
        if missing:
            code, seen["why"] = TOO_LARGE, missing
        elif scope["method"] != "POST":
            code, seen["why"] = NOT_A_POST, "webhooks are POST requests"
        else:
            seen |= self._judge(headers, body)
            code = WRONG if seen["verified"] is False else RIGHT
        code = seen["answered"] = self._respond or code
        seen["body"] = _readable(body)
        await _answer(send, code, seen.get("why", "") if code >= 400 else "")
        try:
            self._tell(seen)
        except BrokenPipeError as error:
            self.unheard = error
            self.stop()


async def _body(receive: Any) -> tuple[bytes, str]:
    """The whole body, or why there is none."""
    pieces = bytearray()
    while True:
        message = await receive()
        pieces += message.get("body", b"")
        if message["type"] == "http.disconnect":
            return b"", "the sender has gone before all of the body had come"
        if len(pieces) > MAX_BODY:
            return b"", f"the body is over {MAX_BODY} bytes"
        if not message.get("more_body"):
            return bytes(pieces), ""


async def _answer(send: Any, code: int, why: str) -> None:
    content = msgspec.json.encode({"message": why}) if why else b""
    headers = [] if code in (204, 304) else [(b"content-length", str(len(content)).encode())]
    if content:
        headers.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _readable(body: bytes) -> object:
    """JSON as what it says, other text as text, anything else as base64."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _tell_json(seen: Document) -> None:
    say_json(seen, line=True)


def _tell(seen: Document) -> None:
    body = seen["body"]
    kind = body.get("type") if isinstance(body, dict) else None
    words = [seen["at"], seen["method"], seen["target"], kind, seen["headers"].get("webhook-id")]
    line = "  ".join(plain(word) for word in words if word)
    say(row(styled(line, "bold"), f"→ {seen['answered']}"))
    match seen.get("verified"):
        case True:
            say(styled("  the signature is right", "green"))
        case False:
            say(styled(f"  the signature is wrong: {plain(seen['why'])}", "red"))
        case _:
            say(styled(f"  {plain(seen['why'])}", "yellow"))
    text = (
        body if isinstance(body, str) else msgspec.json.format(msgspec.json.encode(for_eyes(body))).decode()
    )
    lines = text.splitlines()
    shown = lines if columns() is None else lines[:SHOWN_LINES]
    for one in shown:
        say("    " + (plain(one) if one else ""))
    if len(shown) < len(lines):
        say(styled(f"    … {len(lines) - len(shown)} more lines; all of it with --json", "dim"))
    say("")


async def _serve(receiver: _Receiver, listener: socket.socket) -> None:
    # Only here, so that the other commands start in no time.
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Signals end it in good manners, and are not raised again afterwards."""
            yield

    server = Server(
        uvicorn.Config(
            receiver,
            log_config=None,
            log_level="warning",
            lifespan="off",
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_AT_ONCE,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )

    def stop() -> None:
        server.should_exit = True

    receiver.stop = stop
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await server.serve(sockets=[listener])
