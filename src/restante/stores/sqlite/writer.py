"""One group, one commit: the writing side of the store, run by a thread or a process of its own.

Everything in a group is written together. Where that is refused (a bad row, a lost race), what was
written is taken back to the mark and each job is done alone, and each submission, so that only the bad
one fails. Where the disk itself fails, the whole group is rolled back and refused: what raises did not
happen.
"""

import logging
from collections.abc import Callable
from typing import Any

from ...ports import REQUEST_CHUNKS
from . import accepting, changing, figures, keyring, outbox, removing
from .database import BREAKDOWNS, Database, wrong
from .disk import Disk
from .queries import numbers
from .rows import Entry, Row, Step
from .turnstile import Open, Turnstile
from .worker import Job

log = logging.getLogger("restante.store")


class Writer:
    """Knows all kinds of writes, and the order in which they go into one commit."""

    def __init__(self, database: Database, disk: Disk) -> None:
        self._database = database
        self._disk = disk
        self._works: dict[str, tuple[Any, Callable[[list[Job]], None]]] = {
            "accept": (list[Entry], self._accept),
            "apply": (list[list[Step]], self._apply),
            "reading": (tuple[int, ...], self._alone(self._read)),
            "renew": (tuple[list[int], int], self._alone(self._renew)),
            "post": (list[Row], self._alone(outbox.post)),
            "take": (tuple[dict[str, int], int, int], self._alone(outbox.take)),
            "give_back": (tuple[list[str], int, int], self._alone(outbox.give_back)),
            "settle": (list[tuple[Row, Row | None]], self._alone(outbox.settle)),
            "keep_endpoint": (Row, self._alone(outbox.keep_endpoint)),
            "drop_endpoint": (Row, self._alone(outbox.drop_endpoint)),
            "sweep": (tuple[int, int, int], self._alone(outbox.sweep)),
            "purge": (tuple[removing.Sweeps, removing.Keys], self._alone(removing.purge)),
            "add_keys": (list[Row], self._alone(keyring.add)),
            "revoke_keys": (keyring.Revoking, self._alone(keyring.revoke)),
            "sweep_keys": (tuple[int, int], self._alone(keyring.sweep)),
            "add_figures": (figures.Counting, self._alone(figures.add)),
            "sweep_figures": (tuple[int, int, int], self._alone(figures.sweep)),
            "mark": (bytes, self._alone(self._mark)),
            "probe": (None, self._alone(self._probe)),
            "pause": (tuple[str, str], self._alone(self._pause)),
            "chunk": (tuple[int, int, int, bytes], self._alone(self._write_chunk)),
            "drop": (tuple[int, int], self._alone(removing.drop_pieces)),
        }

    @property
    def kinds(self) -> dict[str, Any]:
        """What a job of each kind is about: the type of its `what`."""
        return {kind: about for kind, (about, _) in self._works.items()}

    def run(self, jobs: list[Job], turnstile: Turnstile | Open) -> None:
        """Does the jobs in one commit; each gets its value or error."""
        kinds: dict[str, list[Job]] = {}
        for job in jobs:
            kinds.setdefault(job.kind, []).append(job)
        database = self._database
        committing = False
        try:
            database.roll_back()
            self._disk.check_there()
            database.run("begin")
            for kind, (_, work) in self._works.items():
                if kind in kinds:
                    work(kinds[kind])
            committing = True
            turnstile.leave()
            database.run("commit")
            turnstile.begin()
        except Exception as error:
            for job in jobs:
                job.error = job.error or wrong(error)
            self._recover(overwrite=committing)

    def _recover(self, *, overwrite: bool) -> None:
        """Leaves no transaction open. A commit whose sync failed may already be in the log as if it had
        succeeded, and would come back after a crash: another, empty one is written in its place."""
        try:
            self._database.roll_back()
            if overwrite:
                self._database.run("begin")
                self._database.run("probe")
                self._database.run("commit")
        except BREAKDOWNS:
            self._database.roll_back()

    def _accept(self, jobs: list[Job]) -> None:
        full = self._disk.full()
        if full is not None:
            for job in jobs:
                job.error = full
            return
        entries = [entry for job in jobs for entry in job.what]
        answers: list[accepting.Answer] = []
        if self._kept(accepting.accept, entries, answers) is not True:
            answers = [self._accept_one(entry) for entry in entries]
        begin = 0
        for job in jobs:
            end = begin + len(job.what)
            job.value = answers[begin:end]
            begin = end

    def _accept_one(self, entry: Entry) -> accepting.Answer:
        answers: list[accepting.Answer] = []
        kept = self._kept(accepting.accept, [entry], answers)
        if isinstance(kept, Exception):
            log.error("a write failed", exc_info=kept)
            return str(wrong(kept))
        return answers[0]

    def _apply(self, jobs: list[Job]) -> None:
        if self._kept(changing.apply_together, jobs) is not True:
            for job in jobs:
                job.value = [self._apply_one(steps) for steps in job.what]

    def _apply_one(self, steps: list[Step]) -> changing.Answer:
        applied: list[bool] = []
        kept = self._kept(changing.apply_alone, steps, applied)
        if isinstance(kept, Exception):
            log.error("a write failed", exc_info=kept)
            return str(wrong(kept))
        return applied

    def _kept(self, work: Callable[..., bool], *what: object) -> bool | Exception:
        """What `work` returned, or raised. Unless that is True, what it has written is taken back."""
        self._database.run("mark")
        try:
            kept: bool | Exception = work(self._database, *what)
        except BREAKDOWNS:
            raise
        except Exception as error:
            kept = error
        if kept is not True:
            self._database.run("back")
        self._database.run("unmark")
        return kept

    def _alone(self, work: Callable[[Database, Any], Any]) -> Callable[[list[Job]], None]:
        def each(jobs: list[Job]) -> None:
            for job in jobs:
                try:
                    job.value = work(self._database, job.what)
                except BREAKDOWNS:
                    raise
                except Exception as error:
                    job.error = wrong(error)

        return each

    def _write_chunk(self, database: Database, what: tuple[int, int, int, bytes]) -> None:
        if what[1] == REQUEST_CHUNKS and (full := self._disk.full()) is not None:
            raise full
        removing.write_chunk(database, what)

    @staticmethod
    def _read(database: Database, what: tuple[int, ...]) -> int | bool | None:
        if len(what) == 2:
            token: int | None = database.value("reserve_reading", what)
            return token
        key, token, after = what
        return database.run("settle_reading", (after, key, token)) == 1

    @staticmethod
    def _renew(database: Database, what: tuple[list[int], int]) -> None:
        keys, until = what
        database.run("renew", (until, numbers(keys)))

    @staticmethod
    def _pause(database: Database, what: tuple[str, str]) -> None:
        name, upstream = what
        database.run(name, (upstream,))

    @staticmethod
    def _mark(database: Database, mark: bytes) -> tuple[bytes, int]:
        database.run("mark_sealing", (mark,))
        return database.value("sealing"), database.value("former_until")

    def _probe(self, database: Database, what: None) -> None:
        database.run("probe")
        if (full := self._disk.full()) is not None:
            raise full
