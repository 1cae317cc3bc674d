"""The writing process (apart.py): `python -m restante.stores.sqlite.child DESCRIPTOR`.

It reads a group, makes the commit, answers, and reads on; at the end of what it is sent it ends. Signals
that end a server are that server's business.
"""

import gc
import logging
import signal
import socket
import sys

import msgspec

from ...core.errors import StoreUnavailable
from .apart import LENGTH, Answers, Failure, Opening, Said, framed
from .database import Database
from .disk import Disk
from .opening import WRITER_CACHE_KIB
from .turnstile import OPEN
from .worker import Job
from .writer import Writer

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
    logging.basicConfig(level=logging.WARNING, handlers=[sayings])
    with socket.socket(fileno=int(sys.argv[1])) as link:
        message, descriptors, _, _ = socket.recv_fds(link, 64 * 1024, 1)
        if not message:
            return
        (lock,) = descriptors
        opening = msgspec.msgpack.decode(message[LENGTH:], type=Opening)
        database = Database(opening.path, cache_kib=WRITER_CACHE_KIB)
        writer = Writer(database, Disk(lock, database, reserve=opening.reserve))
        gc.freeze()
        link.sendall(framed(Answers([], {}, [])))
        serve(link, writer, sayings)
        database.close()


def serve(link: socket.socket, writer: Writer, sayings: Sayings) -> None:
    """Until nothing more comes."""
    whats = {kind: msgspec.msgpack.Decoder(about) for kind, about in writer.kinds.items()}
    while (message := _received(link)) is not None:
        jobs = [Job(kind, whats[kind].decode(what), 0) for kind, what in _jobs.decode(message)]
        writer.run(jobs, OPEN)
        failures = {place: _failure(job.error) for place, job in enumerate(jobs) if job.error is not None}
        try:
            link.sendall(framed(Answers([job.value for job in jobs], failures, sayings.take())))
        except OSError:  # whoever asked is gone
            return


def _received(link: socket.socket) -> bytearray | None:
    head = _exactly(link, LENGTH)
    return None if head is None else _exactly(link, int.from_bytes(head, "big"))


def _exactly(link: socket.socket, size: int) -> bytearray | None:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        try:
            count = link.recv_into(rest)
        except OSError:
            return None
        if not count:
            return None
        rest = rest[count:]
    return data


def _failure(error: BaseException) -> Failure:
    if isinstance(error, StoreUnavailable):
        return Failure(True, error.message, error.retry_after_seconds)
    logging.getLogger("restante.store").error("a write failed", exc_info=error)
    return Failure(False, str(error), None)


if __name__ == "__main__":
    main()
