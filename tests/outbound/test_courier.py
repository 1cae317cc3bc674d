"""What a courier does with receivers that are well, and with those that are not."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from restante.core.errors import AddressRefused
from restante.core.policy import Webhooks
from restante.outbound import HTTPCourier
from restante.outbound.courier import KEPT, MAX_READ, MAX_RETRY_AFTER
from restante.outbound.resolver import Resolve, SystemResolver
from restante.outbound.tls import public_context
from restante.ports.courier import Carried, Parcel, Receipt

from .certificates import Authority
from .scripted import OK, Peer, Script, ScriptedUpstream, hanging, once

HERE = Webhooks(allow=("127.0.0.0/8",))
BODY = b'{"type":"transaction.completed"}'
QUICK_SECONDS = 0.3
"""A timeout that is meant to pass."""


def naming(*addresses: str) -> Resolve:
    """A resolver that knows one answer."""

    async def resolve(name: str) -> Sequence[str]:
        return addresses

    return resolve


@pytest_asyncio.fixture
async def courier() -> AsyncIterator[HTTPCourier]:
    courier = HTTPCourier(HERE, resolve=naming("127.0.0.1"))
    yield courier
    await courier.close()


async def carry(
    courier: HTTPCourier, port: int, *, scheme: str = "http", body: bytes = BODY, timeout_seconds: float = 5
) -> Receipt:
    url = f"{scheme}://receiver.test:{port}/hooks/a?b=%2F"
    return await courier.carry(
        Parcel(url, ((b"Webhook-Id", b"dlv_1"),), body), timeout_seconds=timeout_seconds
    )


async def test_a_parcel_is_posted_by_name_to_the_address_that_was_judged(courier: HTTPCourier) -> None:
    async with ScriptedUpstream(once(OK)) as receiver:
        receipt = await carry(courier, receiver.port)
        assert receipt == Receipt(Carried.ANSWERED, "answered 200", code=200, answer=b"ok")
        (request,) = receiver.requests
        assert (request.method, request.target, request.body) == ("POST", "/hooks/a?b=%2F", BODY)
        assert request.headers == (
            (b"Host", f"receiver.test:{receiver.port}".encode()),
            (b"Webhook-Id", b"dlv_1"),
            (b"Connection", b"close"),
            (b"Content-Length", str(len(BODY)).encode()),
        )


async def test_connections_are_not_kept(courier: HTTPCourier) -> None:
    async with ScriptedUpstream(hanging(OK)) as receiver:
        for _ in range(3):
            assert (await carry(courier, receiver.port)).code == 200
        await receiver.until_open(0)
        assert receiver.connections == 3


@pytest.mark.parametrize("code", [200, 204, 301, 302, 307, 308, 400, 410, 429, 500, 503])
async def test_whatever_the_code_it_is_an_answer_and_no_redirect_is_followed(
    courier: HTTPCourier, code: int
) -> None:
    async with ScriptedUpstream(lambda peer: once(answer)(peer)) as receiver:
        answer = (
            f"HTTP/1.1 {code} X\r\nRetry-After: 120\r\nContent-Length: 0\r\n"
            f"Location: http://127.0.0.1:{receiver.port}/else\r\n\r\n"
        ).encode()
        receipt = await carry(courier, receiver.port)
        assert (receipt.carried, receipt.code, receipt.retry_after) == (Carried.ANSWERED, code, b"120")
        assert len(receiver.requests) == 1


async def test_proxies_of_the_environment_are_not_asked(
    courier: HTTPCourier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with ScriptedUpstream(once(OK)) as receiver:
        assert (await carry(courier, receiver.port)).code == 200


# Answers that are too much


async def test_of_a_long_answer_the_first_is_kept(courier: HTTPCourier) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
    async with ScriptedUpstream(once(answer)) as receiver:
        receipt = await carry(courier, receiver.port)
        assert receipt.answer == b"x" * KEPT


async def test_an_endless_answer_counts_once_the_bound_is_read(courier: HTTPCourier) -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.send(b"y" * 8192)
            sent += 8192

    async with ScriptedUpstream(script) as receiver:
        receipt = await carry(courier, receiver.port)
        assert (receipt.carried, receipt.code, len(receipt.answer)) == (Carried.ANSWERED, 200, KEPT)
        await receiver.until_open(0)
    assert sent > MAX_READ


async def test_of_a_long_retry_after_the_first_is_given_back(courier: HTTPCourier) -> None:
    answer = b"HTTP/1.1 503 X\r\nRetry-After: " + b"9" * 2000 + b"\r\nContent-Length: 0\r\n\r\n"
    async with ScriptedUpstream(once(answer)) as receiver:
        assert (await carry(courier, receiver.port)).retry_after == b"9" * MAX_RETRY_AFTER


# Receivers that are not well


async def drip(peer: Peer) -> None:
    """A byte now and then, for ever."""
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await peer.send(b"z")
        await asyncio.sleep(QUICK_SECONDS / 10)


async def drip_head(peer: Peer) -> None:
    await peer.request()
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
        await peer.send(bytes([byte]))
        await asyncio.sleep(QUICK_SECONDS / 10)


async def endless_headers(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await peer.send(b"X-More: and more\r\n" * 100)


async def endless_informational(peer: Peer) -> None:
    await peer.request()
    while True:
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


async def silent(peer: Peer) -> None:
    await peer.left()


async def silent_after_request(peer: Peer) -> None:
    await peer.request()
    await peer.left()


async def reset(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def reset_at_once(peer: Peer) -> None:
    peer.reset()


async def close_at_once(peer: Peer) -> None:
    pass


LONG_LINE = b"HTTP/1.1 200 OK\r\nX: " + b"a" * (128 * 1024) + b"\r\n\r\n"
TRUNCATED = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
BAD_CHUNK = b"HTTP/1.1 503 X\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\nzz\r\n"

NOT_COMPLETE: dict[str, tuple[Script, int, bytes, str]] = {
    "drip": (drip, 200, b"z", "answered 200, but the answer was not complete within 0.3 s"),
    "truncated": (
        once(TRUNCATED),
        200,
        b"half",
        "answered 200, but the answer broke off after 4 of 10 bytes",
    ),
    "bad chunk": (once(BAD_CHUNK), 503, b"busy", "answered 503, but the answer's body was not valid HTTP"),
}


@pytest.mark.parametrize("name", NOT_COMPLETE)
async def test_who_has_sent_a_code_has_answered_whatever_else_is_missing(
    courier: HTTPCourier, name: str
) -> None:
    script, code, answer, reason = NOT_COMPLETE[name]
    async with ScriptedUpstream(script) as receiver:
        receipt = await carry(courier, receiver.port, timeout_seconds=QUICK_SECONDS if name == "drip" else 5)
        await receiver.until_open(0)
    assert (receipt.carried, receipt.code, receipt.reason) == (Carried.ANSWERED, code, reason)
    assert receipt.answer.startswith(answer)
    assert receipt.retry_after == (b"7" if code == 503 else None)


NOT_WELL: dict[str, tuple[Script, Carried, str]] = {
    "drip_head": (drip_head, Carried.TIMED_OUT, "no answer within 0.3 s"),
    "silent": (silent, Carried.TIMED_OUT, "no answer within 0.3 s"),
    "silent_after_request": (silent_after_request, Carried.TIMED_OUT, "no answer within 0.3 s"),
    "endless_headers": (endless_headers, Carried.BROKEN, "header section was too large"),
    "long_line": (hanging(LONG_LINE), Carried.BROKEN, "header section was too large"),
    "informational": (endless_informational, Carried.BROKEN, "too many informational answers"),
    "reset": (reset, Carried.BROKEN, "the receiver closed the connection before answering"),
    "reset_at_once": (reset_at_once, Carried.BROKEN, "closed the connection before"),
    "close_at_once": (close_at_once, Carried.BROKEN, "closed the connection before"),
    "garbage": (hanging(b"\x00\xff\x16\x03\x01 garbage\r\n\r\n"), Carried.BROKEN, "not a valid HTTP"),
    "another protocol": (hanging(b"SSH-2.0-OpenSSH_9.2\r\n"), Carried.BROKEN, "not a valid HTTP"),
    "HTTP/0.9": (once(b"<html>hello</html>"), Carried.BROKEN, "not a valid HTTP"),
    "code 999": (once(b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"), Carried.BROKEN, "none that HTTP"),
    "switches": (once(b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n"), Carried.BROKEN, "another protocol"),
    "two lengths": (
        once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
        Carried.BROKEN,
        "not a valid HTTP",
    ),
    "gzip coding": (
        once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx"),
        Carried.BROKEN,
        "transfer coding that was not asked for",
    ),
}


@pytest.mark.parametrize("name", NOT_WELL)
async def test_whatever_a_receiver_does_ends_in_time_with_a_receipt(courier: HTTPCourier, name: str) -> None:
    script, carried, reason = NOT_WELL[name]
    async with ScriptedUpstream(script) as receiver:
        seconds = QUICK_SECONDS if carried is Carried.TIMED_OUT else 5
        async with asyncio.timeout(10):
            receipt = await carry(courier, receiver.port, timeout_seconds=seconds)
        await receiver.until_open(0)
    if name.endswith("at_once"):  # it depends on when the kernel tells
        assert receipt.carried in (Carried.BROKEN, Carried.UNREACHABLE)
    else:
        assert receipt.carried is carried
    assert reason in receipt.reason
    assert "upstream" not in receipt.reason
    assert receipt.code is None


async def test_an_answer_that_comes_before_the_body_was_read_counts(courier: HTTPCourier) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too large\r\nContent-Length: 4\r\n\r\nbig!")
        await peer.left()

    async with ScriptedUpstream(script) as receiver:
        receipt = await carry(courier, receiver.port, body=bytes(8 << 20))
        assert (receipt.code, receipt.answer) == (413, b"big!")
        await receiver.until_open(0)


async def test_nobody_there_is_unreachable(courier: HTTPCourier) -> None:
    async with ScriptedUpstream(once(OK)) as receiver:
        port = receiver.port
    receipt = await carry(courier, port)
    assert receipt == Receipt(Carried.UNREACHABLE, "the connection was refused")


async def test_who_gives_up_waiting_leaves_no_connection_behind(courier: HTTPCourier) -> None:
    async with ScriptedUpstream(silent_after_request) as receiver:
        task = asyncio.create_task(carry(courier, receiver.port))
        await receiver.until_open(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await receiver.until_open(0)


async def test_closing_ends_what_is_under_way(courier: HTTPCourier) -> None:
    async with ScriptedUpstream(silent_after_request) as receiver:
        task = asyncio.create_task(carry(courier, receiver.port))
        await receiver.until_open(1)
        await courier.close()
        assert (await task).carried is Carried.BROKEN
        assert (await carry(courier, receiver.port)).carried is Carried.UNREACHABLE


# Names


async def test_a_name_that_is_not_known_is_unreachable_and_may_be_registered() -> None:
    async def resolve(name: str) -> Sequence[str]:
        raise OSError(-2, "raw text of the resolver")

    for resolver in (resolve, naming()):
        courier = HTTPCourier(HERE, resolve=resolver)
        await courier.admit("https://receiver.test/")
        receipt = await carry(courier, 443, scheme="https")
        assert receipt == Receipt(Carried.UNREACHABLE, "the name could not be resolved")


async def test_a_resolver_that_hangs_costs_the_attempt_its_time_and_no_more() -> None:
    async def resolve(name: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    receipt = await carry(HTTPCourier(HERE, resolve=resolve), 80, timeout_seconds=QUICK_SECONDS)
    assert receipt == Receipt(Carried.TIMED_OUT, "the name was not resolved within 0.3 s")


async def test_the_time_of_the_look_up_counts() -> None:
    """If it did not, the attempt would take as long as it and the timeout together."""
    slow, timeout = 0.9, 1.0

    async def resolve(name: str) -> Sequence[str]:
        await asyncio.sleep(slow)  # a resolver's own pace
        return ("127.0.0.1",)

    async with ScriptedUpstream(silent_after_request) as receiver:
        begun = time.monotonic()
        receipt = await carry(HTTPCourier(HERE, resolve=resolve), receiver.port, timeout_seconds=timeout)
        assert receipt.carried is Carried.TIMED_OUT
        assert time.monotonic() - begun < slow + timeout


async def test_of_many_addresses_a_few_are_tried() -> None:
    async with ScriptedUpstream(once(OK)) as receiver:
        dead = [f"127.0.1.{number}" for number in range(100)]
        for addresses, carried in (
            (["127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.0.1"], Carried.ANSWERED),
            ([*dead, "127.0.0.1"], Carried.UNREACHABLE),
        ):
            courier = HTTPCourier(HERE, resolve=naming(*addresses))
            assert (await carry(courier, receiver.port)).carried is carried


async def test_an_address_that_swallows_connections_leaves_time_for_the_next(courier: HTTPCourier) -> None:
    async with ScriptedUpstream(once(OK)) as receiver:
        with (
            socket.create_server(("127.0.0.2", receiver.port), backlog=0),
            ExitStack() as kept,
        ):
            for _ in range(4):  # nobody accepts: from the second on, the kernel does not answer
                waiting = kept.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.2", receiver.port))
            swallowed = HTTPCourier(HERE, resolve=naming("127.0.0.2"))
            receipt = await carry(swallowed, receiver.port, timeout_seconds=QUICK_SECONDS)
            assert receipt == Receipt(Carried.TIMED_OUT, "no connection within 0.3 s")
            both = HTTPCourier(HERE, resolve=naming("127.0.0.2", "127.0.0.1"))
            assert (await carry(both, receiver.port, timeout_seconds=2)).code == 200


async def test_a_family_without_a_route_does_not_use_up_all_tries() -> None:
    everywhere = Webhooks(allow=("127.0.0.0/8", "::/0"))
    dead = [f"2001:db8::{number}" for number in range(1, 20)]
    async with ScriptedUpstream(once(OK)) as receiver:
        courier = HTTPCourier(everywhere, resolve=naming(*dead, "127.0.0.1"))
        assert (await carry(courier, receiver.port)).code == 200


# The guard


class Lying:
    """Says one thing when it is asked first, and another from then on."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, name: str) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_a_name_that_changes_its_answer_gains_nothing() -> None:
    """DNS rebinding: harmless when the endpoint is made, inside when it is sent to."""
    reachable = Webhooks(allow=("127.0.0.1/32",))  # stands for "public" here: the tests reach nothing else
    async with ScriptedUpstream(once(OK)) as receiver:
        lying = Lying(["127.0.0.1"], ["127.0.0.2"])
        courier = HTTPCourier(reachable, resolve=lying)
        await courier.admit(f"http://receiver.test:{receiver.port}/")
        receipt = await carry(courier, receiver.port)
        assert receipt.carried is Carried.REFUSED
        assert "not public (this machine)" in receipt.reason
        assert receiver.connections == 0


async def test_one_attempt_asks_once_and_connects_to_what_was_judged() -> None:
    """Rebinding within the attempt: whoever would ask again would be sent elsewhere."""
    reachable = Webhooks(allow=("127.0.0.1/32",))
    async with ScriptedUpstream(once(OK)) as receiver:
        lying = Lying(["127.0.0.1"], ["127.0.0.2"])
        receipt = await carry(HTTPCourier(reachable, resolve=lying), receiver.port)
        assert (receipt.code, lying.asked) == (200, 1)
        assert receiver.connections == 1


@pytest.mark.parametrize(
    "addresses",
    [
        ("93.184.216.34", "127.0.0.1"),
        ("127.0.0.1", "93.184.216.34"),
        ("2606:4700::1", "10.0.0.1"),
        ("::ffff:169.254.169.254",),
        ("64:ff9b::a9fe:a9fe",),
        ("fe80::1%lo",),
        ("localhost",),
        ("",),
        tuple(f"93.184.{number >> 8}.{number & 255}" for number in range(300)),
    ],
)
async def test_one_address_that_is_not_allowed_spoils_the_name(addresses: tuple[str, ...]) -> None:
    courier = HTTPCourier(Webhooks(), resolve=naming(*addresses))
    with pytest.raises(AddressRefused) as caught:
        await courier.admit("https://receiver.test/")
    receipt = await carry(courier, 443, scheme="https")
    assert receipt == Receipt(Carried.REFUSED, caught.value.message)
    assert not any(address and address in receipt.reason for address in addresses)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://localhost./",
        "https://user@example.com/",
        "gopher://example.com/",
        "http://１２７.0.0.1/",
        "http://example.com:22/",
        "http://example.com:25/",
        "",
    ],
)
async def test_what_needs_no_look_up_is_refused_without_one(url: str) -> None:
    lying = Lying(["93.184.216.34"])
    courier = HTTPCourier(Webhooks(), resolve=lying)
    with pytest.raises(AddressRefused):
        await courier.admit(url)
    receipt = await courier.carry(Parcel(url, (), b""), timeout_seconds=5)
    assert receipt.carried is Carried.REFUSED
    assert lying.asked == 0


async def test_localhost_is_refused_for_what_it_points_to() -> None:
    courier = HTTPCourier(Webhooks())
    with pytest.raises(AddressRefused, match="this machine"):
        await courier.admit("http://localhost/")


async def test_ports_are_the_settings() -> None:
    courier = HTTPCourier(Webhooks(ports=((443, 443), (8000, 8010))), resolve=naming("93.184.216.34"))
    for port in (443, 8000, 8010):
        await courier.admit(f"https://receiver.test:{port}/")
    for port in (80, 444, 7999, 8011):
        with pytest.raises(AddressRefused, match=f"port {port}.*ports"):
            await courier.admit(f"http://receiver.test:{port}/")


# The system's resolver


class Blocking:
    """Look-ups as the system makes them: names that begin with `hangs` block until they are let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = threading.Event()

    def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        if name.startswith("hangs"):
            assert self.let_go.wait(30)
        return ["127.0.0.1"]


async def test_names_that_hang_do_not_hold_up_others_and_cost_one_thread_each() -> None:
    blocking = Blocking()
    resolver = SystemResolver(blocking)
    names = [f"hangs-{number % 50}.test" for number in range(100)]
    waiting = [asyncio.ensure_future(resolver(name)) for name in names]
    try:
        async with asyncio.timeout(10):
            assert await resolver("answers.test") == ["127.0.0.1"]
        assert not any(task.done() for task in waiting)
        assert sorted(blocking.asked) == sorted({*names, "answers.test"})
    finally:
        blocking.let_go.set()
    assert await asyncio.gather(*waiting) == [["127.0.0.1"]] * 100


async def test_look_ups_are_bounded() -> None:
    blocking = Blocking()
    resolver = SystemResolver(blocking, at_once=2)
    waiting = [asyncio.ensure_future(resolver(f"hangs-{number}.test")) for number in range(2)]
    await asyncio.sleep(0)  # both are begun
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(QUICK_SECONDS):
                await resolver("answers.test")
        assert len(blocking.asked) == 2
    finally:
        blocking.let_go.set()
    await asyncio.gather(*waiting)
    assert await resolver("answers.test") == ["127.0.0.1"]


async def test_who_stops_waiting_for_a_name_does_not_take_it_from_others() -> None:
    blocking = Blocking()
    resolver = SystemResolver(blocking)
    first, second = (asyncio.ensure_future(resolver("hangs.test")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    blocking.let_go.set()
    assert await second == ["127.0.0.1"]
    assert blocking.asked == ["hangs.test"]


async def test_a_name_is_asked_for_anew_each_time() -> None:
    blocking = Blocking()
    resolver = SystemResolver(blocking)
    for _ in range(3):
        await resolver("answers.test")
    assert len(blocking.asked) == 3


async def test_what_the_system_says_of_a_name_it_does_not_know_is_an_error_of_its_own() -> None:
    for name in ("no-such-name.invalid", "a" * 70 + ".test"):
        with pytest.raises(OSError):
            await SystemResolver()(name)


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def server(authority: Authority, host: str, names: list[str | None]) -> ssl.SSLContext:
    """Speaks TLS as `host`; `names` are those it was asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(host))
    context.sni_callback = lambda _, name, __: names.append(name)
    return context


async def test_tls_is_verified_by_name_while_the_address_is_connected_to(authority: Authority) -> None:
    names: list[str | None] = []
    trusting = msgspec.structs.replace(HERE, ca_file=authority.file)
    async with ScriptedUpstream(once(OK), tls=server(authority, "receiver.test", names)) as receiver:
        courier = HTTPCourier(trusting, resolve=naming("127.0.0.1"))
        assert (await carry(courier, receiver.port, scheme="https")).code == 200
        assert names == ["receiver.test"]
        assert receiver.requests[0].all(b"host") == [f"receiver.test:{receiver.port}".encode()]


@pytest.mark.parametrize(
    ("host", "trusted", "reason"),
    [
        ("other.test", True, "the receiver's certificate is for another name"),
        ("127.0.0.1", True, "the receiver's certificate is for another name"),
        ("receiver.test", False, "signed by an authority that is not trusted"),
    ],
)
async def test_nobody_else_is_told(authority: Authority, host: str, trusted: bool, reason: str) -> None:
    settings = msgspec.structs.replace(HERE, ca_file=authority.file if trusted else None)
    async with ScriptedUpstream(once(OK), tls=server(authority, host, [])) as receiver:
        courier = HTTPCourier(settings, resolve=naming("127.0.0.1"))
        receipt = await carry(courier, receiver.port, scheme="https")
        assert receipt.carried is Carried.UNREACHABLE
        assert reason in receipt.reason
        assert not receiver.requests


async def test_an_address_is_verified_as_an_address(authority: Authority) -> None:
    trusting = msgspec.structs.replace(HERE, ca_file=authority.file)
    async with ScriptedUpstream(once(OK), tls=server(authority, "127.0.0.1", [])) as receiver:
        parcel = Parcel(f"https://127.0.0.1:{receiver.port}/", (), BODY)
        assert (await HTTPCourier(trusting).carry(parcel, timeout_seconds=5)).code == 200


async def test_the_systems_authorities_are_trusted_beside_our_own(authority: Authority) -> None:
    alone, beside = (public_context(file).get_ca_certs() for file in (None, authority.file))
    assert len(beside) == len(alone) + 1


async def test_a_handshake_that_hangs_ends_in_time() -> None:
    async with ScriptedUpstream(silent) as receiver:  # takes the connection and never says a word
        courier = HTTPCourier(HERE, resolve=naming("127.0.0.1"))
        receipt = await carry(courier, receiver.port, scheme="https", timeout_seconds=QUICK_SECONDS)
        assert receipt == Receipt(Carried.TIMED_OUT, "no connection within 0.3 s")
        await receiver.until_open(0)


async def test_a_receiver_that_does_not_speak_tls_is_unreachable() -> None:
    async with ScriptedUpstream(hanging(OK)) as receiver:
        courier = HTTPCourier(HERE, resolve=naming("127.0.0.1"))
        parcel = Parcel(f"https://receiver.test:{receiver.port}/", (), BODY)
        task = asyncio.ensure_future(courier.carry(parcel, timeout_seconds=QUICK_SECONDS))
        assert (await task).carried in (Carried.UNREACHABLE, Carried.TIMED_OUT)


async def test_a_file_of_authorities_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(HERE, ca_file=str(tmp_path / "gone.pem"))
    receipt = await carry(HTTPCourier(settings, resolve=naming("127.0.0.1")), 443, scheme="https")
    assert receipt == Receipt(Carried.UNREACHABLE, "the file of [webhooks] ca_file could not be used")
