"""The checker sees what was changed on the way: header fields (I4), and what webhooks say and how they are
signed (I8)."""

import hmac
from base64 import b64encode
from random import Random

from restante.torture.clients import events_of
from restante.torture.journal import Call, Journal, Look, Receipt, Told, said
from restante.torture.receivers import Receivers
from restante.torture.site import Asked

from .histories import broken, changed, found, submit


def test_a_request_whose_header_fields_came_other_than_sent_is_seen() -> None:
    one = found(Call, number=2)
    assert isinstance(one, Call)
    assert changed(one, fields=one.fields[1:]) == {"I4"}
    assert changed(one, fields=(*one.fields, ("x-more", "1"))) == {"I4"}
    assert changed(one, fields=one.fields[::-1]) == {"I4"}
    assert changed(one, key="other") == {"I4"}


def test_a_result_whose_header_fields_are_not_the_upstreams_is_seen() -> None:
    one = found(Look, id="paid", what="result")
    assert isinstance(one, Look)
    octets = (("content-type", "application/octet-stream"), *one.fields[1:])
    for fields in (octets, one.fields[:-1], one.fields[::-1], (*one.fields, ("x-more", "1"))):
        assert changed(one, fields=fields) == {"I4"}
    once = submit(None, 1, code=200, call=2, answer="answer 2", answered=one.fields[:-1])
    assert broken(once) == {"I4"}


def test_names_may_change_case_and_what_belongs_to_the_way_may_change() -> None:
    sent = [(b"X-Order", b"1"), (b"Connection", b"close"), (b"Restante-Key", b"k"), (b"Host", b"a")]
    came = [(b"x-order", b"1"), (b"Restante-Attempt", b"1"), (b"host", b"b"), (b"Content-Length", b"3")]
    assert said(sent) == said(came) == (("x-order", "1"),)


# -- what webhooks say


def test_a_webhook_that_is_not_signed_as_it_must_be_is_seen() -> None:
    assert changed(found(Receipt, id="paid-5"), refused="no signature fits") == {"I8"}


def test_a_webhook_that_says_another_end_than_the_log_is_seen() -> None:
    assert changed(found(Receipt, id="refused-3"), type="transaction.completed") == {"I8"}
    assert changed(found(Receipt, id="refused-3"), status="completed") == {"I8"}
    assert changed(found(Receipt, id="paid-3"), type="transaction.processing") == {"I8"}


def test_a_webhook_about_another_event_than_its_delivery_is_seen() -> None:
    one = found(Receipt, id="paid-5")
    assert isinstance(one, Receipt)
    assert "I8" in changed(one, sequence=4, previous=3, type="transaction.info", status="processing")
    assert "I8" in changed(one, sequence=6)


async def test_a_receiver_believes_what_is_signed_with_its_secret_and_nothing_else() -> None:
    journal = Journal(None)
    receivers = Receivers(journal, chance=Random(1), timeout_seconds=1.0)
    receivers.calm = True
    key = bytes(range(32))
    receivers.secrets = {"every": f"whsec_{b64encode(key).decode()}"}
    body = b'{"type":"transaction.completed","data":{"id":"paid","status":"completed"}}'
    moment = str(int(journal.now()))
    mac = hmac.digest(key, b"w1." + moment.encode() + b"." + body, "sha256")
    headers = {
        "webhook-id": "w1",
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{b64encode(mac).decode()}",
    }
    for came in (body, body.replace(b"completed", b"cancelled")):
        await receivers.take(Asked("POST", "/every", headers, (), came))
    right, wrong = journal.entries
    assert isinstance(right, Receipt)
    assert isinstance(wrong, Receipt)
    assert (right.refused, right.status) == (None, "completed")
    assert wrong.refused is not None


def test_a_stream_that_came_in_pieces_is_read_up_to_the_last_whole_event() -> None:
    data = b'{"sequence":%d,"event":"info","status":"processing","data":{"attempt":2}}'
    whole = b":\n\n" + b"".join(b"id: %d\nevent: info\ndata: %b\n\n" % (n, data % n) for n in (1, 2))
    one, two = (Told(sequence=n, event="info", status="processing", attempt=2) for n in (1, 2))
    assert events_of(whole) == (one, two)
    assert events_of(whole[:-1]) == (one,)
    assert events_of(b"") == ()
