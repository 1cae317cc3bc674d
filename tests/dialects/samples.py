"""A transaction to spell, and the seeds' own examples."""

import json
from pathlib import Path
from typing import Any

import msgspec

from restante.core.clock import DAY
from restante.core.model import Transaction

GOLDEN = Path(__file__).with_name("golden")
CREATED = 1_731_066_575_938_000  # 2024-11-08T11:49:35.938Z

SAMPLE = Transaction(
    key=1,
    id="5d3ca96b-cdab-4770-8f8a-1afc66a24274",
    tenant="default",
    created_at=CREATED,
    updated_at=CREATED,
    method="POST",
    path="/channel/v0/tickets",
    operation="create",
    upstream="default",
    due_at=CREATED,
    deadline=CREATED + DAY,
    expires_at=CREATED + DAY,
    sweep_at=CREATED + DAY,
)


def sample(**fields: Any) -> Transaction:
    return msgspec.structs.replace(SAMPLE, **fields)


def pairs(text: bytes | str) -> Any:
    """JSON with the order of its keys."""
    return json.loads(text, object_pairs_hook=list)


def golden(name: str) -> Any:
    return pairs((GOLDEN / f"{name}.json").read_bytes())


def spelled(content: Any) -> Any:
    return pairs(msgspec.json.encode(content))
