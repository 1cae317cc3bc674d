"""The law about webhooks and the feed: I8."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from ..core.machine import TERMINAL
from ..core.status import EventKind
from .history import History
from .journal import Delivery, Endpoint, Receipt, Record

OVER = ("delivered", "dead")
NOTHING_MORE = 204


def told(history: History) -> Iterator[str | None]:
    """I8: each event has its one delivery to each endpoint that was there all the time, and arrived there or
    is dead; each webhook is signed, says of its event what the log says, and truly which one came before it;
    the feed has each event once."""
    deliveries: dict[tuple[str, str | None], list[Delivery]] = defaultdict(list)
    for delivery in history.deliveries:
        deliveries[delivery.endpoint, delivery.transaction].append(delivery)
        ended = delivery.state in OVER
        yield None if ended else f"delivery {delivery.id} is {delivery.state} at the end"
    arrived = {receipt.id for receipt in history.receipts if receipt.code is not None and receipt.code < 300}
    for delivery in history.deliveries:
        if delivery.state == "delivered":
            yield (
                None if delivery.id in arrived else f"delivery {delivery.id} counts as delivered, and is not"
            )
    wanted: dict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in history.endpoints:
        if endpoint.steady:
            wanted[endpoint.tenant].append(endpoint)
    for record in history.records.values():
        for endpoint in wanted[record.tenant]:
            yield _complete(record, endpoint, deliveries[endpoint.id, record.id])
    yield from _in_sequence(history, deliveries)
    yield from _true(history)
    yield from _streamed(history)
    yield from _fed(history)


def _complete(record: Record, endpoint: Endpoint, deliveries: list[Delivery]) -> str | None:
    numbers = Counter(delivery.sequence for delivery in deliveries)
    expected = [one.sequence for one in record.events if endpoint.every or one.status in TERMINAL]
    missing = [number for number in expected if not numbers[number]]
    if missing:
        return f"{record.id} was {record.status}, and nothing told {endpoint.receiver} of event {missing[0]}"
    more = [number for number, count in numbers.items() if count > 1 or number not in expected]
    return (
        f"{endpoint.receiver} was told of event {more[0]} of {record.id} by too many deliveries"
        if more
        else None
    )


def _in_sequence(
    history: History, deliveries: dict[tuple[str, str | None], list[Delivery]]
) -> Iterator[str | None]:
    endpoint_of = {endpoint.receiver: endpoint for endpoint in history.endpoints}
    for receipt in history.receipts:
        endpoint = endpoint_of.get(receipt.receiver)
        if endpoint is None or receipt.sequence is None:
            continue
        numbers = [one.sequence for one in deliveries[endpoint.id, receipt.transaction] if one.sequence]
        before = max((number for number in numbers if number < receipt.sequence), default=None)
        wrong = receipt.previous != before
        yield (
            f"webhook {receipt.id} says that {receipt.previous} came before {receipt.sequence}, not {before}"
            if wrong
            else None
        )


def _true(history: History) -> Iterator[str | None]:
    about = {delivery.id: (delivery.transaction, delivery.sequence) for delivery in history.deliveries}
    for receipt in history.receipts:
        told = (receipt.transaction, receipt.sequence)
        record = history.records.get(receipt.transaction or "")
        if receipt.refused is not None:
            yield f"webhook {receipt.id} was not to be believed: {receipt.refused}"
        elif record is None or receipt.sequence is None:
            continue
        elif about.get(receipt.id, told) != told:
            yield f"webhook {receipt.id} is about event {told[1]} of {record.id}, its delivery is not"
        else:
            yield _as_logged(receipt, record)


def _as_logged(receipt: Receipt, record: Record) -> str | None:
    event = next((one for one in record.events if one.sequence == receipt.sequence), None)
    if event is None:
        return (
            f"webhook {receipt.id} is about event {receipt.sequence} of {record.id}, which is not in its log"
        )
    changed = event.event in (EventKind.TRANSITION, EventKind.FAILURE)
    expected = f"transaction.{event.status if changed else event.event}", event.status
    if (receipt.type, receipt.status) == expected:
        return None
    return f"webhook {receipt.id} says {receipt.type}, {receipt.status}; the log {', '.join(expected)}"


def _streamed(history: History) -> Iterator[str | None]:
    """A stream tells the log from where it was asked to, in order and without a gap, and is over at its
    end."""
    for stream in history.streams:
        record = history.records.get(stream.id)
        if record is None or stream.code is None:
            continue
        end = stream.after + len(stream.events)
        if [one.sequence for one in stream.events] != list(range(stream.after + 1, end + 1)):
            numbers = [one.sequence for one in stream.events]
            yield f"a stream of {stream.id} behind {stream.after} told {numbers}"
        elif stream.events != record.events[stream.after : end]:
            yield f"a stream of {stream.id} behind {stream.after} told what is not in the log"
        elif stream.code == NOTHING_MORE and stream.after < record.sequence:
            yield f"a stream of {stream.id} was over after {stream.after} of {record.sequence} events"
        else:
            yield None


def _fed(history: History) -> Iterator[str | None]:
    fed: dict[str, list[int]] = defaultdict(list)
    for one in history.fed:
        fed[one.id].append(one.sequence)
    for record in history.records.values():
        numbers = fed[record.id]
        right = numbers == [event.sequence for event in record.events]
        yield None if right else f"the feed tells of {record.id} events {numbers}, not 1 to {record.sequence}"
