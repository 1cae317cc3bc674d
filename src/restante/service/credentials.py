"""The caller's own credentials: kept with a request while it may still be sent, and not a commit longer.

With the end of a transaction nobody needs them any more: nothing is sent for it, and who does it again brings
his own (docs/why/0006-retry.md).
"""

import msgspec

from ..core import headers
from ..core.errors import Unreadable
from ..core.model import Change, Request
from ..ports import Store


async def without_credentials(store: Store, change: Change, request: Request | None) -> Change:
    """The change that ends a transaction, with what is kept of its request from then on.

    `request` is that, where it is at hand; else it is read. Raises `StoreUnavailable`.
    """
    try:
        if request is None:
            (request,) = await store.requests([change.before.key])
    except Unreadable:  # nobody sees them there
        return change
    return change if request is None else stripped(change, request)


def stripped(change: Change, request: Request) -> Change:
    """The same, with the request at hand."""
    kept = headers.without_credentials(request.headers)
    if len(kept) == len(request.headers):
        return change
    return msgspec.structs.replace(change, request=Request(kept, request.body))
