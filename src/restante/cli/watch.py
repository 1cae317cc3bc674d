"""`restante watch`: a transaction's events as they happen, until it ends.

They come as a stream, resumed where it broke off. Where too many streams are open already, they are asked for
again and again, and the server holds each answer back until there is news (`Prefer: wait`).
"""

import time
from collections.abc import Callable, Iterator

import click
import msgspec

from .masks import raw_option
from .printing import Document, event_line, say, say_json
from .remote import (
    ENDED,
    Answer,
    Away,
    Server,
    Trouble,
    explained,
    id_argument,
    json_option,
    server_option,
    transaction,
)

STREAM = "text/event-stream"
WAIT_SECONDS = 20
_TOO_MANY_STREAMS = "urn:restante:problem:too-many-streams"
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries to reach a server that was there, and is not. Then it is given up."""

QUIET_SECONDS = 10.0
"""A connection that was good for so long was not lost for lack of a server: nothing happened on it."""

POLL_SECONDS = 0.5
"""Between questions that brought nothing new and were answered at once."""


@click.command(short_help="Follow a transaction until it ends.")
@id_argument
@server_option
@json_option
@raw_option
def watch(id: str, server: Server, as_json: bool) -> int:
    """Prints the events of ID, those there are and those to come, until the last one. The exit code says how
    it ended: 0 completed, 3 failed, 4 cancelled. With --json each event is one line."""

    def tell(event: Document) -> None:
        if as_json:
            say_json(event, line=True)
        else:
            say(event_line(event))

    return ENDED[follow(server, id, tell)]


def follow(server: Server, id: str, tell: Callable[[Document], None]) -> str:
    """Tells each event once, in order; the status it all ended with."""
    seen = 0
    tries = 0
    while True:
        begun = time.monotonic()
        before = seen
        lost: Away | None = None
        try:
            for event in _events(server, id, after=seen):
                tries = 0
                sequence = event["sequence"]
                if sequence <= seen:
                    continue
                seen = sequence
                tell(event)
                if event["status"] in ENDED:
                    return str(event["status"])
        except Away as away:
            if not seen or tries == len(PAUSES_SECONDS):
                raise
            lost = away
        if time.monotonic() - begun > QUIET_SECONDS:
            tries = 0
        if lost is not None:
            time.sleep(PAUSES_SECONDS[tries])
            tries += 1
        elif seen == before and time.monotonic() - begun < POLL_SECONDS:
            time.sleep(POLL_SECONDS)


def _events(server: Server, id: str, *, after: int) -> Iterator[Document]:
    """What one question brings: a stream to its end, or a list."""
    try:
        answer = server.ask(
            "GET", transaction(id, "events"), [("Accept", STREAM), ("Last-Event-ID", str(after))]
        )
    except Trouble as trouble:
        if trouble.problem != _TOO_MANY_STREAMS:
            raise explained(trouble, server, id) from None
        held = [("Prefer", f"wait={WAIT_SECONDS if after else 0}")]
        answer = server.ask("GET", transaction(id, "events", after=str(after)), held)
    try:
        if answer.kind == STREAM:
            yield from _streamed(answer)
        else:
            yield from answer.document("events")["events"]
    finally:
        answer.close()


def _streamed(answer: Answer) -> Iterator[Document]:
    """The events of a stream (HTML Standard, *Server-sent events*); comments and other fields are skipped."""
    data: list[str] = []
    for line in answer.lines():
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            try:
                event = msgspec.json.decode("\n".join(data))
            except msgspec.DecodeError:
                event = None
            if isinstance(event, dict) and isinstance(event.get("sequence"), int):
                yield event
            data = []
