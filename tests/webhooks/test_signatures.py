"""Signatures are what other people's verifiers accept, and ours refuses what it must."""

import base64
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bepaid.client import verify_webhook_auth, verify_webhook_signature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from restante.core.clock import SECOND
from restante.core.errors import BadRequest
from restante.webhooks import Fault, SignatureRefused, sign, verify
from restante.webhooks.diagnosis import diagnosis
from restante.webhooks.keys import (
    basic,
    new_private_key,
    new_secret,
    private_key,
    public_key,
    public_key_of,
    secret_bytes,
)
from restante.webhooks.signatures import signature

from ..fakes import SeededChance

SECRET = new_secret(SeededChance(1))
OTHER = new_secret(SeededChance(2))
BODY = '{"type":"transaction.completed","data":{"message":"Criação"}}'.encode()
ID = "dlv_2b"
NOW = 1_700_000_000
SHOP = ("361", "b8647b68898b084b836474ed8d61ffe1")


def clock(seconds: float = NOW) -> float:
    return seconds


def signed(*secrets: str, body: bytes = BODY, seconds: int = NOW) -> dict[str, str]:
    fields = sign("standard", secrets or (SECRET,), id=ID, moment=seconds * SECOND + 999_999, body=body)
    return {name.decode(): value.decode() for name, value in fields}


@pytest.fixture(scope="module")
def pem() -> str:
    return new_private_key()


@pytest.fixture(scope="module")
def other_pem() -> str:
    return new_private_key()


# Standard Webhooks


def test_the_public_verifier_accepts_what_is_signed_now() -> None:
    headers = signed(seconds=int(datetime.now(UTC).timestamp()))
    assert Webhook(SECRET).verify(BODY, headers)["type"] == "transaction.completed"
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, headers)


@given(st.text(), st.integers(1_000_000_000, 2_000_000_000))
def test_signatures_are_those_of_the_public_library(text: str, seconds: int) -> None:
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return
    theirs = Webhook(SECRET).sign(ID, datetime.fromtimestamp(seconds, UTC), text)
    headers = signed(body=body, seconds=seconds)
    assert headers["webhook-signature"] == theirs
    assert headers["webhook-timestamp"] == str(seconds)
    assert verify(headers, body, SECRET, now=lambda: seconds) == ID


def test_while_secrets_are_changed_either_verifies() -> None:
    seconds = int(datetime.now(UTC).timestamp())
    headers = signed(SECRET, OTHER, seconds=seconds)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(BODY, headers)
        assert verify(headers, BODY, secret, now=lambda: seconds) == ID
    assert verify(signed(OTHER), BODY, [SECRET, OTHER], now=clock) == ID


def test_headers_are_taken_in_any_form() -> None:
    headers = signed()
    shouted = {name.upper(): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    for form in (headers, shouted, list(headers.items()), raw):
        assert verify(form, BODY, SECRET, now=clock) == ID
    foreign = headers | {"webhook-signature": "v1a,AAAA v2 " + headers["webhook-signature"]}
    assert verify(foreign, BODY, SECRET, now=clock) == ID


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in signed().items() if key != name}


@pytest.mark.parametrize(
    ("headers", "body", "fault"),
    [
        (signed(), BODY + b" ", Fault.WRONG),
        (signed(), BODY[:-1], Fault.WRONG),
        (signed(), b"", Fault.WRONG),
        (signed(OTHER), BODY, Fault.WRONG),
        (signed() | {"webhook-signature": "v1,\ud800"}, BODY, Fault.WRONG),
        (signed() | {"webhook-id": "\udcff"}, BODY, Fault.WRONG),
        (signed() | {"webhook-id": "dlv_2c"}, BODY, Fault.WRONG),
        (signed() | {"webhook-timestamp": str(NOW + 1)}, BODY, Fault.WRONG),
        (signed() | {"webhook-timestamp": f" {NOW}.0"}, BODY, Fault.MALFORMED),
        (signed() | {"webhook-timestamp": "-1"}, BODY, Fault.MALFORMED),
        (signed() | {"webhook-timestamp": "²"}, BODY, Fault.MALFORMED),
        (signed() | {"webhook-timestamp": "9" * 5000}, BODY, Fault.MALFORMED),
        (signed() | {"webhook-signature": "v1"}, BODY, Fault.WRONG),
        (signed() | {"webhook-signature": "v1,"}, BODY, Fault.WRONG),
        (signed() | {"webhook-signature": "v1,é"}, BODY, Fault.WRONG),
        (signed() | {"webhook-signature": "v1,x " * 1000}, BODY, Fault.MALFORMED),
        (signed() | {"webhook-signature": signed()["webhook-signature"][3:]}, BODY, Fault.WRONG),
        (without("webhook-id"), BODY, Fault.MISSING),
        (without("webhook-timestamp"), BODY, Fault.MISSING),
        (without("webhook-signature"), BODY, Fault.MISSING),
        (signed() | {"webhook-id": ""}, BODY, Fault.MISSING),
        ([*signed().items(), ("webhook-id", "other")], BODY, Fault.MALFORMED),
        ({}, BODY, Fault.MISSING),
    ],
)
def test_what_is_not_right_is_refused_for_what_it_is(
    headers: dict[str, str], body: bytes, fault: Fault
) -> None:
    with pytest.raises(SignatureRefused) as caught:
        verify(headers, body, SECRET, now=clock)
    assert caught.value.fault is fault
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("away", "fault"), [(300, None), (301, Fault.TOO_OLD), (-300, None), (-301, Fault.TOO_NEW)]
)
def test_a_webhook_is_good_for_five_minutes(away: int, fault: Fault | None) -> None:
    def look() -> None:
        verify(signed(), BODY, SECRET, now=lambda: NOW + away)

    if fault is None:
        look()
    else:
        with pytest.raises(SignatureRefused, match="it was signed 301 s") as caught:
            look()
        assert caught.value.fault is fault


def test_no_secrets_verify_nothing() -> None:
    with pytest.raises(SignatureRefused):
        verify(signed(), BODY, [], now=clock)
    with pytest.raises(ValueError, match="something to sign with"):
        sign("standard", (), id=ID, moment=0, body=b"")


@pytest.mark.parametrize("id", ["", "a.b", "a b", "a\r\nb", "é", "a" * 101])
def test_an_id_that_would_be_read_in_two_ways_is_not_signed(id: str) -> None:
    with pytest.raises(ValueError, match="an id must be"):
        sign("standard", (SECRET,), id=id, moment=0, body=b"")


# Content-Signature


def content(pem: str, body: bytes = BODY) -> dict[str, str]:
    fields = sign("content", (pem,), id=ID, moment=NOW * SECOND, body=body, credentials=SHOP)
    return {name.decode(): value.decode() for name, value in fields}


def test_the_platforms_own_client_accepts_a_content_signature(pem: str, other_pem: str) -> None:
    headers = content(pem)
    assert set(headers) == {"authorization", "content-signature", "webhook-id"}
    public = public_key_of(pem)
    assert verify_webhook_signature(public, headers["content-signature"], BODY)
    assert not verify_webhook_signature(public, headers["content-signature"], BODY + b" ")
    assert not verify_webhook_signature(public_key_of(other_pem), headers["content-signature"], BODY)
    assert verify_webhook_auth(headers["authorization"], *SHOP)
    assert not verify_webhook_auth(headers["authorization"], SHOP[0], "another")


def test_ours_says_the_same_of_a_content_signature(pem: str, other_pem: str) -> None:
    public, other = public_key_of(pem), public_key_of(other_pem)
    assert verify(content(pem), BODY, public) == ""
    assert verify(content(pem), BODY, [other, public]) == ""
    for headers, body, secret, fault in (
        (content(pem), BODY + b" ", public, Fault.WRONG),
        (content(pem), BODY, other, Fault.WRONG),
        (content(pem) | {"content-signature": "!"}, BODY, public, Fault.MALFORMED),
        (content(pem) | {"content-signature": "AAAA" * 2000}, BODY, public, Fault.MALFORMED),
        (content(pem) | {"content-signature": "AAAA"}, BODY, public, Fault.WRONG),
        (signed(), BODY, public, Fault.MISSING),
    ):
        with pytest.raises(SignatureRefused) as caught:
            verify(headers, body, secret)
        assert caught.value.fault is fault


# Why a signature is wrong


def told(headers: dict[str, str], body: bytes, secret: str) -> str:
    with pytest.raises(SignatureRefused) as caught:
        verify(headers, body, secret, now=clock)
    assert caught.value.fault is Fault.WRONG
    return diagnosis(headers, body, [secret])


def test_what_was_done_to_a_body_is_found() -> None:
    spaced = b'{"a": 1, "b": "Cria\xc3\xa7\xc3\xa3o"}'
    compact = b'{"a":1,"b":"Cria\xc3\xa7\xc3\xa3o"}'
    escaped = b'{"a":1,"b":"Cria\\u00e7\\u00e3o"}'
    pretty = b'{\n  "a": 1,\n  "b": "Cria\xc3\xa7\xc3\xa3o"\n}'
    for was in (spaced, compact, escaped):
        assert "another layout" in told(signed(body=was), pretty, SECRET)
    assert "ends of lines" in told(signed(body=b"a\n"), b"a", SECRET)
    assert "ends of lines" in told(signed(body=b"a\nb"), b"a\r\nb", SECRET)
    assert "had no body" in told(signed(body=b""), b"a", SECRET)


def test_a_secret_that_was_not_decoded_is_found() -> None:
    for text in (SECRET, SECRET.removeprefix("whsec_")):
        made = signature(text.encode(), id=ID, timestamp=str(NOW), body=BODY)
        headers = signed() | {"webhook-signature": f"v1,{made}"}
        assert "text for its bytes" in told(headers, BODY, SECRET)


def test_what_cannot_be_told_is_not_guessed() -> None:
    for body in (BODY + b"x", b"x" * (2 << 20), b"[" * 100_000):
        assert "another secret, or" in told(signed(), body, SECRET)
    headers = signed() | {"webhook-signature": "v1a,x"}
    assert "no v1 signature" in told(headers, BODY, SECRET)


def test_an_rsa_signature_tells_key_and_body_apart(pem: str, other_pem: str) -> None:
    public, other = public_key_of(pem), public_key_of(other_pem)
    assert told(content(pem), BODY, other) == "it was made with another key"
    assert told(content(pem), BODY + b"x", public).startswith("the key is right, but the body")
    assert "ends of lines" in told(content(pem), BODY + b"\n", public)


# Keys


def test_a_secret_is_made_of_chance_and_read_as_others_read_it() -> None:
    assert len(secret_bytes(SECRET)) == 32
    assert SECRET != OTHER
    assert SECRET.startswith("whsec_")
    bare = SECRET.removeprefix("whsec_")
    for form in (SECRET, bare, bare.rstrip("=")):
        assert secret_bytes(form) == Webhook(form)._whsecret


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "hello",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + base64.b64encode(bytes(32)).decode() + "é",
        "whsec_" + " ".join(base64.b64encode(bytes(32)).decode()),
        "whsec_" + "A" * 1_000_000,
        "whsk_" + base64.b64encode(bytes(32)).decode(),
    ],
)
def test_what_is_no_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(BadRequest, match="24 to 64 bytes") as caught:
        secret_bytes(secret)
    assert caught.value.field == "secret"
    assert len(str(caught.value)) < 100


def exported(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> str:
    protection = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(pem, form, protection).decode()


def test_private_keys_are_taken_in_both_usual_forms(pem: str) -> None:
    assert public_key_of(exported(private_key(pem))) == public_key_of(pem)


def test_what_is_no_usable_private_key_is_refused(pem: str) -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    for text in (
        "",
        "hello",
        "é",
        pem[: len(pem) // 2],
        pem.replace("A", "B", 20),
        public_key_of(pem),
        exported(small),
        exported(ec.generate_private_key(ec.SECP256R1())),
        exported(private_key(pem), b"passphrase"),
        pem + " " * 20_000,
    ):
        with pytest.raises(BadRequest, match="one RSA key of 2048 to 4096 bits"):
            private_key(text)
    for text in ("", pem, "é", public_key_of(pem)[:-60]):
        with pytest.raises(BadRequest, match="public key must be"):
            public_key(text)


@pytest.mark.parametrize(
    ("username", "password"),
    [("", "x"), ("x", ""), ("a:b", "x"), ("a\r\n", "x"), ("x", "a\0"), ("x" * 256, "x"), ("\ud800", "x")],
)
def test_credentials_that_no_header_can_hold_are_refused(username: str, password: str) -> None:
    with pytest.raises(BadRequest):
        basic(username, password)


# Whoever receives


def test_verifying_does_not_bring_the_server_with_it() -> None:
    script = (
        "import sys; import restante.webhooks; from restante.webhooks import verify; "
        "print(*sorted(name for name in sys.modules if name.startswith('restante')), "
        "*(name for name in ('apsw', 'asyncpg', 'uvicorn', 'uvloop', 'cryptography', 'asyncio', 'msgspec', "
        "'click') if name in sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == [
        "restante",
        "restante.core",
        "restante.core.errors",
        "restante.webhooks",
        "restante.webhooks.keys",
        "restante.webhooks.signatures",
        "restante.webhooks.verification",
    ]


def test_the_receiver_in_the_documentation_works() -> None:
    page = (Path(__file__).parents[2] / "docs" / "receive.md").read_text()
    shown = page.partition("```python\n")[2].partition("```")[0].replace("whsec_…", SECRET)
    scope: dict[str, Any] = {}
    exec(shown, scope)
    assert scope["receive"](signed(seconds=int(datetime.now(UTC).timestamp())), BODY) == 204
    assert scope["receive"](signed(), BODY) == 400


def test_a_receivers_own_mistake_is_no_refused_webhook() -> None:
    for secret, kind, why in (
        ("hello", ValueError, "24 to 64 bytes"),
        ("-----BEGIN PUBLIC KEY-----", ValueError, "RSA key"),
        (None, TypeError, "not NoneType"),
        (b"whsec_", TypeError, "not bytes"),
    ):
        there = {
            "webhook-id": "msg_1",
            "webhook-timestamp": "1",
            "webhook-signature": "v1,x",
            "content-signature": "AAAA",
        }
        wrong: Any = secret
        with pytest.raises(kind, match=why) as told:
            verify(there, b"{}", wrong)
        assert not isinstance(told.value, SignatureRefused)
    wrong = "{}"
    with pytest.raises(TypeError, match="the bytes that came, not str"):
        verify({}, wrong, "whsec_" + "A" * 44)
    with pytest.raises(SignatureRefused) as refused:
        verify({"webhook-id": None, "webhook-timestamp": "1"}, b"{}", "whsec_" + "A" * 44)
    assert refused.value.fault is Fault.MISSING
