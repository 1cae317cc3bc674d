"""The writing process (apart.py): `python -m restante.stores.sqlite.child DESCRIPTOR`.

It reads what groups there are, makes one commit of them, answers, and reads on; at the end of what it is
sent it ends. Signals that end a server are that server's business.
"""

import gc
import logging
import signal
import socket
import sys
from contextlib import suppress
from itertools import chain

import msgspec

from ...core.errors import StoreUnavailable
from .apart import LENGTH, Answers, Failure, Inbox, Opening, Said, framed
from .database import Database
from .disk import Disk
from .opening import WRITER_CACHE_KIB
from .turnstile import OPEN
from .worker import Group, Job
from .writer import Writer

READ = 64 * 1024
"""Bytes that are read at a time. The allocator has more only from the kernel, and gives it back each time."""

_jobs = msgspec.msgpack.Decoder(list[tuple[str, msgspec.Raw]])


class Sayings(logging.Handler):
    """What is logged here is said there."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Said] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(Said(record.levelno, self.format(record)))

    def take(self) -> list[Said]:
        said, self.said = self.said, []
        return said


def main() -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    sayings = Sayings()
    logging.basicConfig(level=logging.WARNING, handlers=[sayings], format="%(message)s")
    with socket.socket(fileno=int(sys.argv[1])) as link:
        message, descriptors, _, _ = socket.recv_fds(link, 64 * 1024, 1)
        if not message:
            return
        (lock,) = descriptors
        opening = msgspec.msgpack.decode(message[LENGTH:], type=Opening)
        database = Database(opening.path, cache_kib=WRITER_CACHE_KIB)
        writer = Writer(database, Disk(lock, database, reserve=opening.reserve))
        gc.freeze()
        with suppress(OSError):  # whoever asked is gone, and nothing more comes
            link.sendall(framed(Answers([], {}, [])))
        serve(link, writer, sayings)
        database.close()


def serve(link: socket.socket, writer: Writer, sayings: Sayings) -> None:
    """Until nothing more comes. What has come together is one commit."""
    whats = {kind: msgspec.msgpack.Decoder(about) for kind, about in writer.kinds.items()}
    inbox = Inbox()
    while messages := _received(link, inbox):
        groups = [
            [Job(kind, whats[kind].decode(what), 0) for kind, what in _jobs.decode(message)]
            for message in messages
        ]
        writer.run(list(chain.from_iterable(groups)), OPEN)
        try:
            link.sendall(b"".join(framed(_answers(jobs, sayings)) for jobs in groups))
        except OSError:  # whoever asked is gone
            return


def _received(link: socket.socket, inbox: Inbox) -> list[bytes]:
    """At least one message, and what has come with it; none at the end."""
    messages: list[bytes] = []
    data = b""
    while not messages or len(data) == READ:
        try:
            data = link.recv(READ, socket.MSG_DONTWAIT if messages else 0)
        except BlockingIOError:
            break
        except OSError:
            data = b""
        if not data:
            break
        messages += inbox.add(data)
    return messages


def _answers(jobs: Group, sayings: Sayings) -> Answers:
    failures = {place: _failure(job.error) for place, job in enumerate(jobs) if job.error is not None}
    return Answers([job.value for job in jobs], failures, sayings.take())


def _failure(error: BaseException) -> Failure:
    if isinstance(error, StoreUnavailable):
        return Failure(True, error.message, error.retry_after_seconds)
    logging.getLogger("restante.store").error("a write failed", exc_info=error)
    return Failure(False, str(error), None)


if __name__ == "__main__":
    main()
