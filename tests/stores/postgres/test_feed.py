"""The order of the feed, by the numbers of the commits."""

from ..samples import accepted, applied, begin
from .conftest import Opener, asked


async def test_commits_are_in_the_order_of_their_numbers_however_many_digits_they_have(
    opening: Opener, database: str
) -> None:
    store = await opening()
    made = [await applied(store, begin(await accepted(store))) for _ in range(4)]
    for place, one in enumerate(made):
        await asked(
            database, "UPDATE restante.feed SET xid = $1::text::xid8 WHERE key = $2", str(8 + place), one.key
        )
    found = await store.feed("default", None, 10)
    assert [entry.id for entry in found] == [one.id for one in made]
    pages = []
    cursor = None
    while page := await store.feed("default", cursor, 1):
        pages += page
        cursor = page[-1].cursor
    assert pages == found
