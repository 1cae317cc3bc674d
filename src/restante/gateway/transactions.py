"""Handlers of dialect `transaction`: one transaction with its events, and the list (seed 004)."""

import msgspec

from ..core.model import Query, Transaction
from ..dialects import transaction as spelling
from .audience import BATCH, MAX_LOOKED_AT, belongs, sources
from .call import Call
from .desk import Desk
from .poll import look
from .problems import UnknownTransaction
from .reply import Reply, document, word
from .rooms import Place


async def one_transaction(desk: Desk, call: Call, place: Place) -> Reply:
    """`GET <transactions>/<id>`."""
    tenant = await desk.tenant(call)

    def fits(transaction: Transaction) -> bool:
        return belongs(desk.policy, transaction, place.transactions)

    transaction = await look(desk, call, tenant, place.rest[len(place.transactions) + 1 :], fits=fits)
    if transaction is None or not fits(transaction):
        raise UnknownTransaction("There is no transaction with this id.")
    call.word = transaction.status
    (events,) = await desk.service.events([transaction])
    return document(spelling.one(transaction, events), word(transaction.status))


async def list_transactions(desk: Desk, call: Call, place: Place) -> Reply:
    """`GET <transactions>?…`."""
    desk.pages.check_place(call)
    tenant = await desk.tenant(call)
    maximum = desk.limits.page
    listing = spelling.listing(call.query, tenant=tenant, max_limit=maximum)
    found, more = await _page(desk, listing.query, place.transactions)
    logs = await desk.service.events(found)
    results = [spelling.one(transaction, events) for transaction, events in zip(found, logs, strict=True)]
    return document(spelling.page(listing, results, more=more, max_limit=maximum))


async def _page(desk: Desk, query: Query, transactions: str) -> tuple[list[Transaction], bool]:
    """The rows asked for, and whether there are more behind them."""
    queries = sources(desk.policy, query, transactions)
    if queries == [query]:
        found = await desk.service.find(msgspec.structs.replace(query, limit=query.limit + 1))
    else:
        rows = [row for source in queries for row in await _first_rows(desk, source, transactions)]
        rows.sort(key=lambda row: (row.created_at, row.key), reverse=not query.ascending)
        found = rows[query.offset : query.offset + query.limit + 1]
    return found[: query.limit], len(found) > query.limit


async def _first_rows(desk: Desk, query: Query, transactions: str) -> list[Transaction]:
    """The audience's rows of one source, as far as the page reaches."""
    wanted = query.offset + query.limit + 1
    batch = msgspec.structs.replace(query, offset=0, limit=min(wanted, BATCH))
    rows: list[Transaction] = []
    for _ in range(0, MAX_LOOKED_AT, BATCH):
        found = await desk.service.find(batch)
        rows += [row for row in found if belongs(desk.policy, row, transactions)]
        if len(found) < batch.limit or len(rows) >= wanted:
            break
        batch = msgspec.structs.replace(batch, limit=BATCH, after_key=found[-1].key)
    return rows
