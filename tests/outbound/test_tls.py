"""The same over TLS, with certificates of our own."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from restante.core.errors import AnswerBroken, Unreachable
from restante.outbound import HTTPSender

from .calling import HOST, begin, call, line_to, pieces
from .certificates import Authority
from .scripted import OK, Peer, ScriptedUpstream, always, hanging, once


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def server(authority: Authority, host: str = "127.0.0.1", *, days: int = 1) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(host, days=days))
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def test_calls_over_tls_reuse_their_connection(sender: HTTPSender, authority: Authority) -> None:
    protocols: list[str | None] = []

    async def script(peer: Peer) -> None:
        protocols.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await always(OK)(peer)

    async with ScriptedUpstream(script, tls=server(authority)) as upstream:
        policy = upstream.policy(ca_file=authority.file)
        for _ in range(3):
            assert (await call(sender, policy, "POST", body=b"hello")).body == b"ok"
        assert [r.body for r in upstream.requests] == [b"hello"] * 3
        assert upstream.connections == 1
        assert protocols == ["http/1.1"]


async def test_a_large_answer_and_a_large_body_pass_over_tls(
    sender: HTTPSender, authority: Authority
) -> None:
    size = 4 << 20

    async def body() -> AsyncIterator[bytes]:
        for _ in range(size >> 16):
            yield bytes(1 << 16)

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
    async with ScriptedUpstream(always(answer), tls=server(authority)) as upstream:
        policy = upstream.policy(ca_file=authority.file)
        got = await call(sender, policy, "POST", body=body(), size=size)
        assert len(got.body) == len(upstream.requests[0].body) == size
        await call(sender, policy)
        assert upstream.connections == 1


@pytest.mark.parametrize(
    ("host", "days", "trusted", "phrase"),
    [
        ("127.0.0.1", 1, False, "signed by an authority that is not trusted"),
        ("127.0.0.1", -1, True, "has expired"),
        ("other.test", 1, True, "is for another"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_refused(
    sender: HTTPSender, authority: Authority, tmp_path: Path, host: str, days: int, trusted: bool, phrase: str
) -> None:
    async with ScriptedUpstream(always(OK), tls=server(authority, host, days=days)) as upstream:
        trusts = authority if trusted else Authority(tmp_path, "stranger")
        with pytest.raises(Unreachable, match=r"^the TLS handshake failed: .*" + phrase) as caught:
            await call(sender, upstream.policy(ca_file=trusts.file))
        assert not caught.value.sent
        assert not upstream.requests


async def test_an_upstream_that_speaks_no_tls_is_said_so(sender: HTTPSender, authority: Authority) -> None:
    async def plain(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def silent(peer: Peer) -> None:
        await peer.reader.read(1)

    for script in (plain, silent):
        async with ScriptedUpstream(script) as upstream:
            with pytest.raises(Unreachable, match=r"^the TLS handshake failed"):
                await call(sender, upstream.policy(scheme="https", ca_file=authority.file))


async def test_a_handshake_that_hangs_ends_in_time(sender: HTTPSender, authority: Authority) -> None:
    async with ScriptedUpstream(lambda peer: peer.left()) as upstream:
        policy = upstream.policy(scheme="https", ca_file=authority.file)
        with pytest.raises(Unreachable, match=r"^no connection within 0\.05 s"):
            await line_to(sender, policy, timeout_seconds=0.05)
        await upstream.until_open(0)


async def test_a_client_certificate_is_shown(sender: HTTPSender, authority: Authority) -> None:
    context = server(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    certificate, key = authority.issue("client.test")
    seen: list[object] = []

    async def script(peer: Peer) -> None:
        seen.append(peer.writer.get_extra_info("peercert")["subjectAltName"])
        await always(OK)(peer)

    async with ScriptedUpstream(script, tls=context) as upstream:
        policy = upstream.policy(ca_file=authority.file, client_cert=certificate, client_key=key)
        assert (await call(sender, policy)).body == b"ok"
        assert seen == [(("DNS", "client.test"),)]
        # Another identity is another connection, and none at all is refused, by TLS 1.3 after the handshake.
        with pytest.raises((Unreachable, AnswerBroken)):
            await call(sender, upstream.policy(ca_file=authority.file))


@pytest.mark.parametrize("setting", ["ca_file", "client_cert"])
async def test_files_that_cannot_be_used_are_said_so(
    sender: HTTPSender, authority: Authority, tmp_path: Path, setting: str
) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    for file in (str(tmp_path / "missing.pem"), str(garbage)):
        async with ScriptedUpstream(always(OK), tls=server(authority)) as upstream:
            with pytest.raises(Unreachable, match=r"^the upstream's TLS files could not be used$"):
                await call(sender, upstream.policy(**{setting: file}))


async def test_a_line_lost_in_hand_is_lost_over_tls_too(sender: HTTPSender, authority: Authority) -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await go.wait()

    async with ScriptedUpstream(script, tls=server(authority)) as upstream:
        line = await line_to(sender, upstream.policy(ca_file=authority.file))
        await upstream.until_open(1)
        go.set()
        await upstream.until_open(0)
        while line._connection.usable():  # the kernel is not asked about TLS: the loop has to turn
            await asyncio.sleep(0)
        with pytest.raises(Unreachable) as caught:
            await line.send("POST", "/", HOST, b"pay", size=3, timeout_seconds=5)
        assert not caught.value.sent


UNTIL_EOF = b"HTTP/1.1 200 OK\r\n\r\nall of it"


async def test_a_body_until_the_end_ends_with_a_tls_goodbye(sender: HTTPSender, authority: Authority) -> None:
    async with ScriptedUpstream(once(UNTIL_EOF), tls=server(authority)) as upstream:
        assert (await call(sender, upstream.policy(ca_file=authority.file))).body == b"all of it"


async def test_a_body_until_the_end_that_is_cut_without_a_goodbye_is_broken(
    sender: HTTPSender, authority: Authority
) -> None:
    """Otherwise whoever can cut the connection could shorten an answer unseen (RFC 9112 §9.8)."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(UNTIL_EOF)
        peer.writer.transport.abort()

    async with ScriptedUpstream(script, tls=server(authority)) as upstream:
        with pytest.raises(AnswerBroken):
            await call(sender, upstream.policy(ca_file=authority.file))


async def test_an_early_answer_over_tls_counts(sender: HTTPSender, authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await peer.left()

    async with ScriptedUpstream(script, tls=server(authority)) as upstream:
        policy = upstream.policy(ca_file=authority.file)
        got = await call(
            sender, policy, "POST", body=pieces(bytes(1 << 16) for _ in range(1 << 14)), size=1 << 30
        )
        assert (got.status, got.body) == (413, b"big")
        await upstream.until_open(0)


async def test_closing_an_answer_over_tls_ends_the_connection(
    sender: HTTPSender, authority: Authority
) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234"
    async with ScriptedUpstream(hanging(raw), tls=server(authority)) as upstream:
        answer = await begin(sender, upstream.policy(ca_file=authority.file))
        answer.close()
        await upstream.until_open(0)
