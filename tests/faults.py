"""A store that fails: `pytest --faults 0.05 --seed 7`.

Every store that a test opens, in this process or in a server that it starts (tests/forked.py), is wrapped.
Of its methods every so many calls are

- `refused`: nothing is done, and `StoreUnavailable` raised;
- `lost`: nothing is done, and `WriteUnknown` raised, as by a store that was gone before it could say so;
- `done`: it is done, and `WriteUnknown` raised all the same;
- `slow`: it is done, some rounds of the loop later.

What a read raises changes nothing, so it is refused or slow. Which calls fail follows from the seed, the
test, the method and how often it was called before, so that a failing run can be had again. What a test asks
of a store or of the service by its own hand is not a server at work, and is left alone: `calm`. A store that
waits is asked again without a rest, because the tests' time stands still. `close` never fails: who ends does
not ask.
"""

import asyncio
import hashlib
import mmap
import os
import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from restante.core.errors import StoreUnavailable, WriteUnknown
from restante.core.model import Accepted, Change, Submission
from restante.ports import Store, Told
from restante.service.outage import PAUSES, REST, Outage

WRITES = (
    "accept", "add_keys", "apply", "claim", "count_figures", "divide", "drop_chunks", "drop_endpoint",
    "give_back", "keep_endpoint", "mark_sealing", "offer", "offer_change", "pause", "post", "purge",
    "release", "renew", "reserve_numbers", "reserve_reading", "resume", "revoke_keys", "settle",
    "settle_reading", "sweep_figures", "sweep_keys", "sweep_outbox", "take", "tidy", "write_chunk",
)  # fmt: skip
READS = (
    "alone", "attempts", "counted_tenants", "deliveries", "deliveries_about", "endpoints", "events", "feed",
    "figures", "find", "find_keys", "health", "keeps_from_before", "lanes", "lapsed", "list_keys", "loads",
    "look", "look_deliveries", "next_deliveries", "next_due", "next_lapse", "paused", "pending_figures",
    "ping", "read_chunk", "requests", "results", "scrub", "standing", "stored", "with_code",
)  # fmt: skip

KINDS = ("calls", "refused", "lost", "done", "slow", "calm")
METHODS = (*READS, *WRITES)
COUNTS = len(METHODS) * len(KINDS)

ROUNDS = 20
"""Of the loop that a slow call takes longer, at most."""

TRIAL = "by way of trial"
"""In what every fault says, by which a tests' caller knows it."""

PLAN = "FAULTY_STORES"
"""The environment variable by which servers that a test starts know of it."""

TESTS = str(Path(__file__).parent) + os.sep
AROUND_TESTS = os.sep + "pytest_asyncio" + os.sep


class Faults:
    """Decides and counts, in one process. `chance` of 0: only counts."""

    def __init__(self, *, chance: float, seed: int, folder: Path) -> None:
        self.chance = chance
        self.seed = seed
        self.folder = folder
        self.test = ""
        self._calls: dict[str, int] = {}
        path = folder / f"counts-{os.getpid()}"
        path.write_bytes(bytes(8 * COUNTS))
        with path.open("r+b") as file:  # what is counted outlives a kill
            self._counts = mmap.mmap(file.fileno(), 0)

    def begin(self, test: str) -> None:
        """From here on it is this test; what waits for a store does not rest."""
        self.test = test
        Outage.pauses, Outage.rest = (0,), 0
        self._calls.clear()
        os.environ[PLAN] = f"{self.chance} {self.seed} {self.folder} {test}"

    def end(self) -> None:
        self.test = ""
        Outage.pauses, Outage.rest = PAUSES, REST
        os.environ.pop(PLAN, None)

    def next(self, method: str) -> tuple[str, int]:
        """What is to become of the next call of this method, and for how many rounds it is slow."""
        self._count(method, "calls")
        if not self.test or not self.chance:
            return "", 0
        number = self._calls[method] = self._calls.get(method, 0) + 1
        text = f"{self.seed}/{self.test}/{method}/{number}"
        drawn, rounds = struct.unpack("<QQ", hashlib.blake2b(text.encode(), digest_size=16).digest())
        fraction = drawn / 2**64
        if fraction >= self.chance:
            return "", 0
        kinds = ("refused", "slow") if method in READS else ("refused", "lost", "done", "slow")
        kind = kinds[int(fraction / self.chance * len(kinds))]
        self._count(method, kind)
        return kind, rounds % ROUNDS + 1

    def calm(self, method: str) -> bool:
        """Whether the caller is a test."""
        task = asyncio.current_task()
        code = getattr(task and task.get_coro(), "cr_code", None)
        if code is None or not (code.co_filename.startswith(TESTS) or AROUND_TESTS in code.co_filename):
            return False
        self._count(method, "calm")
        return True

    def _count(self, method: str, kind: str) -> None:
        place = 8 * (METHODS.index(method) * len(KINDS) + KINDS.index(kind))
        (before,) = struct.unpack_from("<Q", self._counts, place)
        struct.pack_into("<Q", self._counts, place, before + 1)


class FaultyStore:
    """Everything of `inner`, which may fail."""

    def __init__(self, inner: Store, faults: Faults) -> None:
        self.inner = inner
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name in METHODS:
            return partial(self._call, name, found)
        return found

    async def _call(self, name: str, method: Callable[..., Any], *what: Any, **how: Any) -> Any:
        faults = self._faults
        if faults.calm(name):
            return await method(*what, **how)
        kind, rounds = faults.next(name)
        match kind:
            case "refused":
                raise _refused()
            case "lost":
                raise _unknown()
            case "slow":
                for _ in range(rounds):
                    await asyncio.sleep(0)
        value = await method(*what, **how)
        if kind == "done":
            await self._given_back(name, value)
            raise _unknown()
        return value

    async def _given_back(self, name: str, value: Any) -> None:
        """What a store must give back by itself (`ports.Store`)."""
        if name == "claim":
            await self.inner.release([claim.transaction.key for claim in value])

    def offer(self, submissions: Sequence[Submission], told: Told) -> None:
        faults = self._faults
        if faults.calm("offer"):
            self.inner.offer(submissions, told)
            return
        kind, rounds = faults.next("offer")

        def unknown(answers: list[Accepted | BaseException]) -> None:
            held = [one.transaction.key for one in submissions if one.claim]
            later = asyncio.get_running_loop().create_task(self._let_go(held))
            later.add_done_callback(lambda _: told([_unknown() for _ in answers]))

        match kind:
            case "refused":
                told([_refused() for _ in submissions])
            case "lost":
                told([_unknown() for _ in submissions])
            case "done":
                self.inner.offer(submissions, unknown)
            case "slow":
                _later(rounds, partial(self.inner.offer, submissions, told))
            case _:
                self.inner.offer(submissions, told)

    def offer_change(self, change: Change, told: Callable[[bool | BaseException], None]) -> None:
        faults = self._faults
        kind, rounds = ("", 0) if faults.calm("offer_change") else faults.next("offer_change")
        match kind:
            case "refused":
                told(_refused())
            case "lost":
                told(_unknown())
            case "done":
                self.inner.offer_change(change, lambda answer: told(_unknown()))
            case "slow":
                _later(rounds, partial(self.inner.offer_change, change, told))
            case _:
                self.inner.offer_change(change, told)

    async def _let_go(self, keys: list[int]) -> None:
        if keys:
            await self.inner.release(keys)


def in_trial(code: int) -> bool:
    """Whether an answer may tell of a fault from here: a 503, while stores fail."""
    return code == 503 and PLAN in os.environ


def on_trial(code: int, body: bytes, method: str = "GET") -> bool:
    """Whether it does; then a client waits and asks again. One to a HEAD has no body: it counts."""
    return in_trial(code) and (method == "HEAD" or TRIAL.encode() in body)


def _refused() -> StoreUnavailable:
    return StoreUnavailable(f"The store refuses, {TRIAL}.", retry_after_seconds=1)


def _unknown() -> WriteUnknown:
    return WriteUnknown(f"The store was lost, {TRIAL}.", retry_after_seconds=1)


def _later(rounds: int, work: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    if rounds:
        loop.call_soon(_later, rounds - 1, work)
    else:
        work()


def install(faults: Faults) -> None:
    """From now on every store that is opened here in a test is wrapped."""
    from restante.stores.postgres import PostgresStore
    from restante.stores.sqlite import SQLiteStore

    for kind in (SQLiteStore, PostgresStore):
        kind.open = _opening(kind.open, faults)


def _opening(open: Callable[..., Any], faults: Faults) -> Callable[..., Any]:
    async def opened(*what: Any, **how: Any) -> Any:
        store = await open(*what, **how)
        return FaultyStore(store, faults) if faults.test else store

    return opened


def install_from_environment() -> None:
    """The same in a server that a test has started."""
    plan = os.environ.get(PLAN)
    if plan is not None:
        chance, seed, folder, test = plan.split(" ", 3)
        faults = Faults(chance=float(chance), seed=int(seed), folder=Path(folder))
        faults.begin(test)
        install(faults)


def counted(folder: Path) -> dict[str, dict[str, int]]:
    """What all processes have counted: by method, by kind."""
    sums = [0] * COUNTS
    for path in folder.glob("counts-*"):
        for place, count in enumerate(struct.unpack(f"<{COUNTS}Q", path.read_bytes())):
            sums[place] += count
    places = iter(sums)
    return {method: {kind: next(places) for kind in KINDS} for method in METHODS}
