"""`restante result`: the upstream's answer, byte for byte. Reading it here never uses it up."""

import os
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click

from ..client.answer import Response
from ..core.masking import MAX_SHOWN
from .masks import body_for_eyes, in_clear, raw_option, text_for_eyes
from .printing import plain, say, say_json
from .remote import (
    ENDED,
    MASK,
    MISUSED,
    UNKNOWN,
    Server,
    Trouble,
    ask_about,
    explaining,
    id_argument,
    server_option,
)

CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")
"""What may do anything to a terminal."""


NOT_ITS_OWN = frozenset({"transfer-encoding", "connection", MASK.lower()})
"""Fields that are not the upstream's answer's."""


@click.command()
@id_argument
@click.option(
    "--output", "-o", type=click.Path(), metavar="FILE", help="Write it there: all of it or nothing."
)
@click.option("--include", "-i", is_flag=True, help="The status line and the headers too.")
@server_option
@click.option("--json", "as_json", is_flag=True, help="Status, headers and body as JSON, the body as Base64.")
@raw_option
def result(id: str, output: str | None, include: bool, server: Server, as_json: bool) -> None:
    """Prints the upstream's answer to ID, whatever its status: byte for byte into a file or a pipe; on a
    terminal, card numbers are masked. An error that may be read once stays readable: this is not that
    reading."""
    if as_json and (output is not None or include):
        raise click.UsageError("--json goes with neither --output nor --include")
    with explaining(server, id):
        answer = Kept(server, id)
        if as_json:
            shown = _for_eyes(b"", answer, text=False) if sys.stdout.isatty() else answer.pieces
            body = b"".join(shown)
            say_json({"status": answer.head.status_code, "headers": answer.headers, "body": body})
        else:
            _write(answer, output, include=include)


class Kept:
    """An answer whose body is still to be read. Raises `ClientError`, as its `pieces` do."""

    def __init__(self, server: Server, id: str) -> None:
        self.pieces = server.client.play(server.client.conversation.stored(id))
        self.head: Response = next(self.pieces)
        self.headers = [pair for pair in self.head.headers.pairs if pair[0].lower() not in NOT_ITS_OWN]


def give(server: Server, id: str, ended: str, *, as_json: bool) -> int:
    """The end of a command that has waited: the answer, or why there is none; the exit code."""
    code = ENDED[ended]
    if as_json:
        say_json(ask_about(server, "GET", id))
        return code
    try:
        with explaining(server, id):
            answer = Kept(server, id)
    except Trouble as trouble:
        if trouble.code != UNKNOWN:
            raise
        last = ask_about(server, "GET", id, needs=("outcome", "events"))
        outcome = f" ({last['outcome']})" if last["outcome"] else ""
        say(f"restante: {ended}{outcome}: {plain(last['events'][-1]['message'])}", err=True)
        return code
    try:
        with explaining(server, id):
            _write(answer, None, include=False)
    except Trouble as trouble:
        if trouble.code != MISUSED:
            raise
        say(f"restante: {trouble.message}, as in: restante result {id} --output FILE", err=True)
    return code


def _write(answer: Kept, output: str | None, *, include: bool) -> None:
    head = b""
    if include:
        lines = [f"HTTP/1.1 {answer.head.status_code} {answer.head.reason}".rstrip()]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if output is None or output == "-":
        out = sys.stdout.buffer
        last = b"\n"
        for piece in _for_eyes(head, answer) if sys.stdout.isatty() else _all(head, answer):
            if sys.stdout.isatty() and CONTROLS.search(piece):
                answer.pieces.close()
                raise Trouble("the answer is not plain text; use --output FILE or a pipe", MISUSED)
            out.write(piece)
            last = piece
        if sys.stdout.isatty() and not last.endswith(b"\n"):
            out.write(b"\n")
        out.flush()
    else:
        _save(Path(os.path.realpath(output)), _all(head, answer))


def _for_eyes(head: bytes, answer: Kept, *, text: bool = True) -> Iterable[bytes]:
    """What a terminal is given: masked, which takes the whole body. As `text`, no more than what shows that
    it is none."""
    if in_clear():
        return _all(head, answer)
    body = bytearray()
    for piece in answer.pieces:
        body += piece
        if text and CONTROLS.search(piece):
            return [piece]  # which will be refused
        if len(body) > MAX_SHOWN:
            answer.pieces.close()
            raise Trouble(f"the answer is over {MAX_SHOWN} bytes; use --output FILE or a pipe", MISUSED)
    return [text_for_eyes(head.decode("latin-1")).encode("latin-1", "replace"), body_for_eyes(bytes(body))]


def _all(head: bytes, answer: Kept) -> Iterable[bytes]:
    if head:
        yield head
    yield from answer.pieces


def _save(path: Path, pieces: Iterable[bytes]) -> None:
    """Beside the file first, so that one that is there is never half of another."""
    try:
        if path.exists() and not path.is_file():  # a device or a pipe
            with path.open("wb") as file:
                file.writelines(pieces)
            return
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(pieces)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror}") from None
