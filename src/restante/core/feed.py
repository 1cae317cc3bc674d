"""The feed: what went on with a tenant's transactions, in the order in which it was committed.

An entry is one commit of one transaction: the events behind one number, up to another. Its `cursor` is the
store's own word for the place behind it, and tells nothing (stores/cursors.py). What is accepted makes no
entry (nothing is added to an accept): the first event comes with whatever happens next.
"""

import msgspec

from .model import Change


class Entry(msgspec.Struct, frozen=True):
    """The events of transaction `id` with sequences over `behind`, up to `last`."""

    cursor: str
    key: int
    id: str
    behind: int
    last: int


class Kept(msgspec.Struct, frozen=True):
    """An entry as it is kept, for another store to take over; `number` is its place in this one."""

    number: int
    tenant: str
    key: int
    id: str
    behind: int
    last: int
    at: int


def span_of(change: Change) -> tuple[int, int] | None:
    """Behind which event a change's entry begins and with which it ends; None where it makes none."""
    behind, last = change.before.sequence, change.after.sequence
    if last == behind:
        return None
    return (0 if behind == 1 else behind), last
