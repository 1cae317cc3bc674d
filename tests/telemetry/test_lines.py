"""A life in the log: ids and words, whoever reads it."""

import json
import logging
from pathlib import Path

import pytest

from restante.cli.logs import Masking, Structured
from restante.telemetry import Lines

from ..e2e.harness import RecordingUpstream
from ..world import a_world, eventually

SECRET = "4111111111111111"


@pytest.fixture
def info(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


async def test_each_transition_is_a_line_with_ids_and_no_bodies(
    tmp_path: Path, info: pytest.LogCaptureFixture
) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        world.service.telemetry = Lines()
        headers = {"authorization": f"Bearer {SECRET}", "restante-callback-url": "https://shop.example/x"}
        transaction = await world.submit(
            path=f"/pay/{SECRET}", body=SECRET.encode(), headers=headers, tenant="shop"
        )
        await world.ended(transaction)
        await eventually(lambda: bool(world.courier.sent))
        await world.at_rest()
    lines = [record for record in info.records if record.name == "restante.transactions"]
    assert [(line.fields["sequence"], line.fields["status"]) for line in lines] == [  # type: ignore[attr-defined]
        (1, "pending"),
        (2, "processing"),
        (3, "completed"),
    ]
    for line in lines:
        assert f"transaction={transaction.id}" in line.getMessage()
        assert "tenant=shop" in line.getMessage()
    assert lines[-1].getMessage().endswith("event=transition status=completed attempt=1 outcome=answered")
    (told,) = [record.getMessage() for record in info.records if record.name == "restante.deliveries"]
    assert f"transaction={transaction.id}" in told and "outcome=delivered" in told
    assert SECRET not in info.text and "shop.example" not in info.text


def a_record(message: str, **fields: object) -> logging.LogRecord:
    extra = {"fields": fields} if fields else None
    return logging.getLogger("restante").makeRecord(
        "restante", logging.INFO, "", 0, message, (), None, None, extra
    )


def test_a_structured_line_is_one_json_object() -> None:
    form = Structured()
    assert json.loads(form.format(a_record("two\nlines")))["message"] == "two\nlines"
    line = form.format(a_record("x=1", x=1))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": json.loads(line)["time"],
        "level": "info",
        "logger": "restante",
        "x": 1,
    }


@pytest.mark.parametrize("form", [Masking(), Structured()])
def test_card_numbers_are_masked_in_every_form(form: logging.Formatter) -> None:
    assert SECRET not in form.format(a_record(f"of {SECRET}"))
