"""The benchmarks' own laws: what is compared, what is filled, and that the page is made from the results."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from restante.core.policy import Limits
from restante.core.status import Status
from restante.stores.sqlite import SQLiteStore

ROOT = Path(__file__).parents[2]
FINISHED, QUEUED = 30, 7


@pytest.fixture(autouse=True)
def on_the_path() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "bench"))
    yield
    sys.path.remove(str(ROOT / "bench"))


def test_the_page_is_made_from_the_results() -> None:
    import report

    records = report.ordered(report.record.read())
    made = report.page(records, report.drawn(records, report.PAGE.with_suffix("")))
    assert report.PAGE.read_text() == made, "run: python bench/report.py"


def measured(accepts: list[float], constants: list[float]) -> Any:
    import record

    rounds = record.Rounds()
    for one, other in zip(accepts, constants, strict=True):
        rounds.add("Restante", "accept", one, unit="1/s", store="sqlite")
        rounds.add("constant", "accept", other, unit="1/s")
    return rounds


def test_a_ratio_is_the_middle_one_of_its_rounds() -> None:
    rounds = measured([10, 10, 90], [10, 20, 100])
    assert rounds.ratio(("Restante", "sqlite", "accept"), ("constant", "-", "accept")) == 0.9
    assert rounds.ratio(("Restante", "postgresql", "accept"), ("constant", "-", "accept")) is None


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    import record

    one = record.record("a", "A", "…", measured([1], [2]).rows, rounds=1)
    record.write(one, tmp_path)
    assert record.read(tmp_path) == [one]


@pytest.mark.parametrize(("now", "worse"), [(90, 0), (84, 1), (120, 0)])
def test_speed_is_lost_where_a_ratio_is_smaller_by_more_than_the_tolerance(now: float, worse: int) -> None:
    import check
    import record

    before, after = (
        record.record("throughput", "A", "…", measured([accepts], [100]).rows, rounds=1)
        for accepts in (100, now)
    )
    assert len(check.compare(before, after, 0.15)) == worse


async def test_a_filled_store_is_as_one_that_was_lived_in(tmp_path: Path) -> None:
    import fill

    url = f"sqlite:///{tmp_path}/filled.db"
    filled = await fill.fill(url, finished=FINISHED, queued=QUEUED)
    store = await SQLiteStore.open(f"{tmp_path}/filled.db", limits=Limits())
    found = await store.look(filled.ids)
    assert len(found) == FINISHED
    assert {one.status for one in found if one} == {Status.COMPLETED}
    await store.close()
    assert await fill.progress(url) == (QUEUED + 1, FINISHED + 1)
    await fill.cut(url, filled.last_key)
    assert await fill.progress(url) == (QUEUED + 1, FINISHED + 1)


def sampled(what: str, values: list[float]) -> Any:
    import record

    return record.Row(name="sqlite", store="sqlite", what=what, unit="MiB", values=values)


def test_what_grows_is_seen_and_what_trembles_is_not() -> None:
    import flat

    begin = [10.0 * number for number in range(15)]  # not judged
    trembles = [100.0 + 9 * (-1) ** number for number in range(45)]
    jumps = [100.0 if number % 9 else 900.0 for number in range(45)]
    grows = [100.0 + number / 2 + 9 * (-1) ** number for number in range(45)]
    falls = [*reversed(grows)]
    rows = [sampled("memory, PSS", begin + judged) for judged in (trembles, jumps, grows, falls)]
    assert flat.grew(rows) == [rows[2]]
    assert 20 < flat.growth(flat.judged(rows[2])) < 24


def test_a_soak_that_was_broken_off_early_is_not_judged() -> None:
    import flat

    rows = [sampled(what, [1.0] * flat.LEAST) for what in ("lives", "memory, PSS")]
    assert flat.targets(rows, rate=1.0) == []
    rows = [sampled(what, [1.0] * 2 * flat.LEAST) for what in ("lives", "memory, PSS")]
    assert all(target.met for target in flat.targets(rows, rate=1.0))
    assert not all(target.met for target in flat.targets(rows, rate=2.0))
