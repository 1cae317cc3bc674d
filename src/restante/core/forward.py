"""What the upstream sees of a caller's request (contract, *What the upstream sees*)."""

from functools import lru_cache

from .headers import first
from .model import Headers, Transaction
from .policy import Upstream
from .status import Dialect
from .trace import attempt_span, begun_by, traceparent


def target(upstream: Upstream, path: str, query: str) -> str:
    """The request target: the upstream's base path, the caller's path and query as they came."""
    return f"{upstream.base_path}{path}?{query}" if query else f"{upstream.base_path}{path}"


def forward_headers(kept: Headers, upstream: Upstream, *, extra: Headers = ()) -> Headers:
    """The header fields for `upstream`: its own Host first, the caller's in order, `extra` last.

    `set_headers` of the upstream's configuration replace whatever came under the same name, underscores
    being dashes.
    """
    replaced, own = _own(upstream)
    host = (first(kept, b"host") if upstream.preserve_host else None) or upstream.authority.encode("latin-1")
    return (
        (b"Host", host),
        *[pair for pair in kept if pair[0].replace(b"_", b"-") not in replaced],
        *own,
        *(extra if not own else [pair for pair in extra if pair[0].lower() not in replaced]),
    )


def attempt_headers(
    kept: Headers,
    upstream: Upstream,
    transaction: Transaction,
    *,
    attempt: int,
    events: Headers = (),
) -> Headers:
    """The header fields of an attempt: as above, with the transaction's id, the attempt and the trace, of
    which it is a span. Where the answer is to be read by us (dialect transaction), it is asked for
    unencoded. `events` tells where and how to report.
    """
    came = dict(reversed(kept))  # by name, in lower case as they are kept; of several the first
    ours = [(b"Restante-Transaction", transaction.id.encode()), (b"Restante-Attempt", b"%d" % attempt)]
    ours += events
    dropped = {b"traceparent"}
    if b"idempotency-key" not in came:
        ours.append((b"Idempotency-Key", transaction.id.encode()))
    if transaction.dialect is Dialect.TRANSACTION:
        dropped.add(b"accept-encoding")
        ours.append((b"Accept-Encoding", b"identity"))
    trace = begun_by(transaction.id, came.get(b"traceparent"))
    if trace.parent is None:
        dropped.add(b"tracestate")
    ours.append((b"traceparent", traceparent(trace, attempt_span(transaction.id, attempt))))
    rest = kept if dropped.isdisjoint(came) else tuple(pair for pair in kept if pair[0] not in dropped)
    return forward_headers(rest, upstream, extra=tuple(ours))


def events_headers(origin: str, id: str, token: str) -> Headers:
    """Where the upstream may report about this attempt, and what proves that it is the one."""
    url = f"{origin}/-/transactions/{id}/events"
    return ((b"Restante-Events-Url", url.encode()), (b"Restante-Events-Token", token.encode()))


@lru_cache(maxsize=256)
def _own(upstream: Upstream) -> tuple[frozenset[bytes], Headers]:
    own = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in upstream.set_headers)
    return frozenset(name.lower().replace(b"_", b"-") for name, _ in own) | {b"host"}, own
