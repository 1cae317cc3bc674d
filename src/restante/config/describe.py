"""Settings in words again, in the shape of the file they came from; credentials are left out."""

from ..core.policy import Lookup, Retry, Route, Upstream
from .kinds import spell_duration, spell_size
from .sealing import describe_sealing
from .settings import Settings
from .webhooks import describe_webhooks

HIDDEN = "…"
"""What stands for a header's value, which may be a secret."""


def describe(settings: Settings) -> dict[str, object]:
    """Every setting as understood, defaults included. What is not set at all is left out."""
    policy, limits, connections = settings.policy, settings.policy.limits, settings.policy.connections
    return _given(
        listen=str(settings.listen),
        admin_listen=str(settings.admin_listen) if settings.admin_listen else None,
        public_url=policy.public_url,
        events_url=policy.events_url,
        store=settings.store_shown,
        retention=spell_duration(limits.retention),
        history=spell_duration(limits.history),
        accept_status=policy.accept_status,
        max_body=spell_size(limits.max_body),
        max_result=spell_size(limits.max_result),
        max_queued=limits.max_queued,
        max_queued_per_tenant=limits.max_queued_per_tenant,
        max_stored_per_tenant=_size(limits.max_stored_per_tenant),
        rate_per_tenant=spell_rate(limits.rate_per_tenant) if limits.rate_per_tenant else None,
        max_waiting=limits.max_waiting,
        max_events=limits.events,
        max_streams=limits.streams,
        max_connections=connections.most,
        max_head=spell_size(connections.head),
        max_target=spell_size(connections.target),
        head_timeout=spell_duration(connections.head_timeout),
        body_timeout=spell_duration(connections.body_timeout),
        idle_timeout=spell_duration(connections.idle_timeout),
        reserve=spell_size(limits.reserve),
        strict=policy.strict,
        trusted_proxies=list(policy.trusted_proxies),
        cors_origins=list(policy.cors_origins),
        hosts=list(settings.hosts),
        mask=list(policy.mask),
        grace=spell_duration(limits.grace),
        log_level=settings.log_level,
        log_format=settings.log_format,
        log_transactions=settings.log_transactions,
        traces=settings.traces,
        role=settings.role.value,
        workers=settings.workers,
        auth={"mode": settings.auth_mode, "insecure": settings.insecure},
        sealing=describe_sealing(settings.sealing),
        webhooks=describe_webhooks(policy.webhooks),
        upstreams={name: _upstream(upstream) for name, upstream in policy.upstreams.items()},
        routes=[_route(route) for route in policy.routes],
    )


def upstream_url(upstream: Upstream) -> str:
    """The URL an upstream was given with."""
    return f"{upstream.scheme}://{upstream.authority}{upstream.base_path}"


def spell_rate(per_second: float) -> str:
    """Attempts per second, minute or hour, whichever is a whole number first."""
    for unit, seconds in (("s", 1), ("m", 60), ("h", 3600)):
        count = per_second * seconds
        if abs(count - round(count)) < 1e-6 and round(count):
            return f"{round(count)}/{unit}"
    return f"{per_second:.6g}/s"


def spell_route(route: Route) -> str:
    """A route in one line, for people."""
    words = f"{route.method} {route.path} → {route.upstream}, {route.dialect}"
    if route.transactions:
        words += f", looked up at {route.transactions}"
    return f"{words}, interrupted: {route.interrupted}"


def _upstream(upstream: Upstream) -> dict[str, object]:
    return _given(
        url=upstream_url(upstream),
        concurrency=upstream.concurrency,
        concurrency_per_tenant=upstream.concurrency_per_tenant,
        rate=spell_rate(upstream.rate) if upstream.rate else None,
        max_queued=upstream.max_queued,
        max_stored=_size(upstream.max_stored),
        through_concurrency=upstream.through_concurrency,
        through_rate=spell_rate(upstream.through_rate) if upstream.through_rate else None,
        timeout=spell_duration(upstream.timeout),
        connect_timeout=spell_duration(upstream.connect_timeout),
        retry=_retry(upstream.retry),
        preserve_host=upstream.preserve_host,
        set_headers={name: HIDDEN for name, _ in upstream.set_headers} or None,
        ca_file=upstream.ca_file,
        client_cert=upstream.client_cert,
        client_key=upstream.client_key,
    )


def _size(size: int | None) -> str | None:
    return None if size is None else spell_size(size)


def _retry(retry: Retry) -> dict[str, object]:
    return {
        "attempts": retry.attempts,
        "backoff": spell_duration(retry.backoff),
        "max_backoff": spell_duration(retry.max_backoff),
        "on": ["connect"] * retry.on_connect + sorted(retry.on_codes),
    }


def _route(route: Route) -> dict[str, object]:
    return _given(
        match=f"{route.method} {route.path}",
        upstream=route.upstream,
        dialect=route.dialect.value,
        transactions=route.transactions,
        operation=route.operation,
        interrupted=route.interrupted.value,
        priority=route.priority,
        tracking_id=route.tracking_id,
        deferred=route.deferred or None,
        callback=route.callback,
        **_lookup(route.lookup),
        data=None if route.data is None else dict(route.data),
        messages=dict(route.messages) or None,
        mask=list(route.mask) or None,
    )


def _lookup(lookup: Lookup | None) -> dict[str, object]:
    if lookup is None:
        return {}
    return {
        "lookup": f"GET {lookup.target}",
        "found": lookup.found,
        "answer": lookup.answer,
        "not_found": "retry" if lookup.retry else "fail",
    }


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
