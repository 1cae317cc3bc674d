"""A transaction to spell, and the seeds' own examples."""

import json
from pathlib import Path
from typing import Any

import msgspec

from restante.core.model import Transaction

from ..core.samples import a_transaction

GOLDEN = Path(__file__).with_name("golden")
CREATED = 1_731_066_575_938_000  # 2024-11-08T11:49:35.938Z

SAMPLE = a_transaction(at=CREATED, id="5d3ca96b-cdab-4770-8f8a-1afc66a24274", path="/channel/v0/tickets")


def sample(**fields: Any) -> Transaction:
    return msgspec.structs.replace(SAMPLE, **fields)


def pairs(text: bytes | str) -> Any:
    """JSON with the order of its keys."""
    return json.loads(text, object_pairs_hook=list)


def golden(name: str) -> Any:
    return pairs((GOLDEN / f"{name}.json").read_bytes())


def spelled(content: Any) -> Any:
    return pairs(msgspec.json.encode(content))
