"""Kill -9 at any moment: nothing that was acknowledged is missing."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from restante.core.policy import Limits
from restante.core.status import Phase, Status
from restante.stores.sqlite import SQLiteStore

from ... import forked
from ..samples import NOW

ROOT = Path(__file__).parents[3]


def killed(path: Path, acknowledged: int, *how: str) -> list[str]:
    """What a process that was killed after so many acknowledgements had said until then."""
    victim = forked.Popen(
        [sys.executable, "-m", "tests.stores.sqlite.victim", str(path), *how],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert victim.stdout
    lines = [victim.stdout.readline() for _ in range(acknowledged)]
    victim.kill()
    lines += victim.stdout.readlines()
    victim.wait()
    return lines


@pytest.mark.parametrize("how", [(), ("apart",)], ids=["thread", "apart"])
@pytest.mark.parametrize("acknowledged", [1, 40, 400])
async def test_nothing_that_was_acknowledged_is_missing(
    path: Path, acknowledged: int, how: tuple[str, ...]
) -> None:
    lines = await asyncio.to_thread(killed, path, acknowledged, *how)
    words = [line.split() for line in lines if line.endswith("\n")]
    assert len(words) >= acknowledged
    store = await SQLiteStore.open(str(path), limits=Limits())
    accepted = [id for word, id in words if word == "accepted"]
    begun = {id for word, id in words if word == "begun"}
    found = await store.look(accepted)
    for id, transaction in zip(accepted, found, strict=True):
        assert transaction is not None
        assert transaction.status in (Status.PENDING, Status.PROCESSING)
        if id in begun:
            assert transaction.phase is Phase.SENDING
            assert transaction.due_at == 0
        (log,) = await store.events([transaction.key])
        assert [event.sequence for event in log] == list(range(1, transaction.sequence + 1))
        assert log[-1].status is transaction.status
    claims = await store.claim("default", 10_000, NOW)
    assert set(accepted) <= {claim.transaction.id for claim in claims}
    assert store.queued == len(claims)
    await store.close()
