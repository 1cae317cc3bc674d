"""`restante listen` verifies, prints, answers, and ends when it is told to."""

import http.client
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from restante.webhooks import sign
from restante.webhooks.keys import new_private_key, new_secret, public_key_of

from ..fakes import SeededChance
from .process import RESTANTE, Running, run, taken_port

SECRET = new_secret(SeededChance(1))
OTHER = new_secret(SeededChance(2))
BODY = b'{"type":"transaction.completed","data":{"id":"1"}}'


class Listening(Running):
    """The command with --json; `said()` is its next line."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        super().__init__(*RESTANTE, "listen", "--port", "0", "--json", *arguments, folder=folder)
        self.address = self.said()["listens"].removeprefix("http://")

    def said(self) -> Any:
        return json.loads(self._lines.get(timeout=20))

    def post(self, headers: dict[str, str], body: bytes = BODY, *, method: str = "POST") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, "/hooks?x=1", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def signed(secret: str = SECRET, *, age_seconds: int = 0, kind: str = "standard") -> dict[str, str]:
    moment = (int(time.time()) - age_seconds) * 1_000_000
    fields = sign(kind, (secret,), id="dlv_1", moment=moment, body=BODY)
    return {name.decode(): value.decode() for name, value in fields}


def test_webhooks_are_verified_and_what_is_wrong_is_said(tmp_path: Path) -> None:
    with Listening("--secret", SECRET, "--secret", OTHER, folder=tmp_path) as listening:
        assert listening.address.startswith("127.0.0.1:")
        for secret in (SECRET, OTHER):
            assert listening.post(signed(secret) | {"Authorization": "Basic c2VjcmV0"}) == (204, b"")
            seen = listening.said()
            assert (seen["verified"], seen["answered"], seen["target"]) == (True, 204, "/hooks?x=1")
            assert seen["body"] == json.loads(BODY)
            assert seen["headers"]["authorization"] == "…"
        for headers, body, fault, why in (
            (signed(age_seconds=1000), BODY, "too_old", "it was signed 100"),
            (signed(age_seconds=-1000), BODY, "too_new", "in the future"),
            (signed(), BODY + b"\n", "wrong", "the ends of lines"),
            (signed(new_secret(SeededChance(3))), BODY, "wrong", "another secret"),
            ({}, b"\xff\x00", "missing", "there is no webhook-id"),
        ):
            code, answer = listening.post(headers, body)
            seen = listening.said()
            assert (code, seen["verified"], seen["fault"]) == (400, False, fault)
            assert why in seen["why"]
            assert json.loads(answer) == {"message": seen["why"]}
        assert seen["body"] == {"base64": "/wA="}
        assert listening.post({}, b"", method="GET")[0] == 405
        code, error = listening.stop(signal.SIGINT)
        assert (code, error) == (0, "")


def test_content_signatures_are_verified_with_the_public_key(tmp_path: Path) -> None:
    pem = new_private_key()
    (tmp_path / "public.pem").write_text(public_key_of(pem))
    with Listening("--public-key", "public.pem", folder=tmp_path) as listening:
        assert listening.post(signed(pem, kind="content"))[0] == 204
        assert listening.said()["verified"] is True
        assert listening.post(signed(pem, kind="content"), BODY + b"x")[0] == 400
        assert "the key is right" in listening.said()["why"]
        assert listening.stop() == (0, "")


def test_it_answers_as_it_is_told(tmp_path: Path) -> None:
    with Listening("--respond", "503", folder=tmp_path) as listening:
        assert listening.post(signed())[0] == 503
        seen = listening.said()
        assert (seen["verified"], seen["answered"]) == (None, 503)
        assert "--secret" in seen["why"]


def test_people_are_shown_lines_without_control_characters(tmp_path: Path) -> None:
    with Running(*RESTANTE, "listen", "--port", "0", "--secret", SECRET, folder=tmp_path) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port(), timeout=20)
        connection.request("POST", "/", b'{"type":"\\u001b[2J","x":"\\u001b"}\n', signed())
        assert connection.getresponse().status == 400
        connection.close()
        text = running.printed_until("}")
        assert "the signature is wrong: " in text
        assert "\x1b" not in text
        assert running.stop(signal.SIGINT)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--secret", "hello"], "restante: --secret: a secret must be whsec_ and the base64 of 24 to 64"),
        (["--public-key", "gone.pem"], "restante: --public-key: gone.pem: No such file or directory"),
        (["--public-key", "bad.pem"], "restante: --public-key: a public key must be an RSA key, as PEM"),
        (["--secret", SECRET, "--public-key", "bad.pem"], "restante: give either --secret or --public-key"),
        (["--respond", "100"], "restante: Invalid value for '--respond'"),
        (["--host", "203.0.113.1"], "restante: cannot listen on 203.0.113.1:8601"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_code_two(
    arguments: list[str], error: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.pem").write_text("hello")
    ended = run("listen", *arguments, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(error)
    assert ended.stderr.count("\n") == 1
    assert SECRET not in ended.stderr


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with taken_port() as port:
        ended = run("listen", "--port", str(port), folder=tmp_path)
        assert ended.returncode == 2
        assert f"127.0.0.1:{port}: Address already in use" in ended.stderr
