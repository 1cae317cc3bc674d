"""How a store is, on every back end."""

from restante.ports import Store

from .samples import NOW, completed


async def test_a_store_in_use_has_measures_and_no_alarm(store: Store) -> None:
    for _ in range(3):
        await completed(store)
    await store.tidy(NOW)
    measures = (await store.health(NOW)).measures
    assert len({measure.name for measure in measures}) == len(measures) > 3
    assert all(measure.value >= 0 for measure in measures)
    assert [measure.name for measure in measures if measure.alarming] == []
