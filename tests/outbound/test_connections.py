"""Connections: made, kept, given up."""

import asyncio
import socket
import time

import pytest

from restante.core.errors import Unreachable
from restante.core.policy import Upstream
from restante.outbound import HTTPSender

from .calling import HOST, begin, call, line_to
from .scripted import OK, Peer, ScriptedUpstream, always


class Hand:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def test_connections_are_reused_last_in_first_out(sender: HTTPSender) -> None:
    served: list[int] = []

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            served.append(peer.number)
            await peer.send(OK)

    async with ScriptedUpstream(script) as upstream:
        lines = [await line_to(sender, upstream.policy()) for _ in range(3)]
        for line in lines:
            answer = await line.send("GET", "/", HOST, b"", size=0, timeout_seconds=5)
            answer.close()
        first = list(served)
        for _ in range(3):
            await call(sender, upstream.policy())
        assert upstream.connections == 3
        assert served[3:] == [first[-1]] * 3


async def test_a_connection_that_was_idle_for_too_long_is_not_taken() -> None:
    now = Hand()
    sender = HTTPSender(now=now)
    async with ScriptedUpstream(always(OK)) as upstream:
        await call(sender, upstream.policy())
        now.seconds += 2.0
        line = await line_to(sender, upstream.policy(), max_idle_seconds=2)
        assert upstream.connections == 1
        line.close()
        now.seconds += 0.1
        fresh = await line_to(sender, upstream.policy(), max_idle_seconds=2)
        await upstream.until_open(2)
        fresh.close()
        line = await line_to(sender, upstream.policy(), max_idle_seconds=2)
        assert upstream.connections == 2
        line.close()
        await sender.close()


async def test_an_unused_line_goes_back_as_old_as_it_was() -> None:
    now = Hand()
    sender = HTTPSender(now=now)
    async with ScriptedUpstream(always(OK)) as upstream:
        old, young = [await line_to(sender, upstream.policy()) for _ in range(2)]
        old.close()
        now.seconds += 5
        answer = await young.send("GET", "/", HOST, b"", size=0, timeout_seconds=5)
        answer.close()  # idle for no time at all
        old = await line_to(sender, upstream.policy(), max_idle_seconds=1)  # the young one
        oldest = await line_to(sender, upstream.policy(), max_idle_seconds=10)
        old.close()
        oldest.close()
        again = await line_to(sender, upstream.policy(), max_idle_seconds=1)
        assert upstream.connections == 2
        again.close()
        await sender.close()


async def test_idle_connections_are_closed_after_their_time() -> None:
    now = Hand()
    sender = HTTPSender(idle_seconds=30, now=now)
    async with ScriptedUpstream(always(OK)) as upstream:
        await call(sender, upstream.policy())
        now.seconds += 29
        sender._pool.sweep()
        await upstream.until_open(1)
        now.seconds += 1
        sender._pool.sweep()
        await upstream.until_open(0)
        await call(sender, upstream.policy())
        assert upstream.connections == 2
        await sender.close()


async def test_the_sweeper_wakes_by_itself() -> None:
    sender = HTTPSender(idle_seconds=0.01)
    async with ScriptedUpstream(always(OK)) as upstream:
        await call(sender, upstream.policy())
        await upstream.until_open(0)
        await sender.close()


async def test_only_so_many_idle_connections_are_kept() -> None:
    sender = HTTPSender(idle_count=2)
    async with ScriptedUpstream(always(OK)) as upstream:
        lines = [await line_to(sender, upstream.policy()) for _ in range(5)]
        await upstream.until_open(5)
        for line in lines:
            line.close()
        await upstream.until_open(2)
        await sender.close()
        await upstream.until_open(0)


async def test_each_upstream_has_its_own_connections(sender: HTTPSender) -> None:
    async with ScriptedUpstream(always(OK)) as one, ScriptedUpstream(always(OK)) as two:
        for upstream in (one, two, one, two):
            await call(sender, upstream.policy())
        assert (one.connections, two.connections) == (1, 1)
        assert (len(one.requests), len(two.requests)) == (2, 2)


async def test_an_idle_connection_that_the_upstream_closes_is_dropped(sender: HTTPSender) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    async with ScriptedUpstream(script) as upstream:
        for count in (1, 2, 3):
            assert (await call(sender, upstream.policy())).body == b"ok"
            await upstream.until_open(0)
            assert upstream.connections == count


async def test_an_idle_connection_that_speaks_unasked_is_dropped(sender: HTTPSender) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await peer.left()

    async with ScriptedUpstream(script) as upstream:
        for _ in range(2):
            assert (await call(sender, upstream.policy())).status == 200
            await upstream.until_open(0)
        assert upstream.connections == 2


@pytest.mark.parametrize("last_words", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
async def test_a_line_lost_in_hand_has_surely_sent_nothing(sender: HTTPSender, last_words: bytes) -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await go.wait()
        await peer.send(last_words)

    async with ScriptedUpstream(script) as upstream:
        line = await line_to(sender, upstream.policy())
        await upstream.until_open(1)
        go.set()
        await upstream.until_open(0)
        with pytest.raises(Unreachable) as caught:
            await line.send("POST", "/", HOST, b"pay", size=3, timeout_seconds=5)
        assert not caught.value.sent
        assert not upstream.requests
        line.close()


async def test_a_close_that_the_loop_has_not_seen_yet_is_seen(sender: HTTPSender) -> None:
    """The kernel is asked just before the first byte: no turn of the loop lies in between."""
    listener = socket.create_server(("127.0.0.1", 0))
    upstream = Upstream(host="127.0.0.1", port=listener.getsockname()[1], authority="a")
    line = await line_to(sender, upstream)
    peer, _ = listener.accept()
    peer.close()
    with pytest.raises(Unreachable) as caught:
        await line.send("POST", "/", HOST, b"pay", size=3, timeout_seconds=5)
    assert not caught.value.sent
    idle = await line_to(sender, upstream)
    peer, _ = listener.accept()
    idle.close()
    peer.close()
    line = await line_to(sender, upstream)
    peer, _ = listener.accept()  # a new one
    line.close()
    peer.close()
    listener.close()


async def test_a_refused_connection_is_said_so(sender: HTTPSender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match=r"^the connection was refused$") as caught:
        await line_to(sender, Upstream(host="127.0.0.1", port=port, authority="a"))
    assert not caught.value.sent
    with pytest.raises(Unreachable, match=r"^the connection was refused$"):
        await line_to(sender, Upstream(host="localhost", port=port, authority="a"))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70])
async def test_a_name_that_does_not_resolve_is_said_so(sender: HTTPSender, host: str) -> None:
    with pytest.raises(Unreachable, match=r"^the name could not be resolved$|not a host name$"):
        await line_to(sender, Upstream(host=host, port=80, authority="a"))


async def test_a_connection_that_is_not_made_in_time_is_said_so(sender: HTTPSender) -> None:
    # A backlog that is full, so that the kernel drops further attempts to connect.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        with pytest.raises(Unreachable, match=r"^no connection within 0\.05 s$") as caught:
            await line_to(sender, Upstream(host="127.0.0.1", port=port, authority="a"), timeout_seconds=0.05)
        assert not caught.value.sent
        for filler in fillers:
            filler.close()


async def test_a_closed_sender_connects_no_more() -> None:
    sender = HTTPSender()
    async with ScriptedUpstream(always(OK)) as upstream:
        await call(sender, upstream.policy())
        await sender.close()
        await sender.close()
        await upstream.until_open(0)
        with pytest.raises(Unreachable):
            await line_to(sender, upstream.policy())


async def test_a_connection_that_is_made_while_the_sender_closes_is_given_up() -> None:
    sender = HTTPSender()
    async with ScriptedUpstream(always(OK)) as upstream:
        connecting = asyncio.create_task(line_to(sender, upstream.policy()))
        await asyncio.sleep(0)
        await sender.close()
        with pytest.raises(Unreachable):
            await connecting
        await upstream.until_open(0)


async def test_a_connection_made_for_somebody_who_has_left_is_given_up(sender: HTTPSender) -> None:
    """At whatever step of connecting they leave, nothing is kept open and closing does not wait for it."""
    async with ScriptedUpstream(always(OK)) as upstream:
        for steps in range(12):
            connecting = asyncio.create_task(line_to(sender, upstream.policy(), max_idle_seconds=0.0))
            for _ in range(steps):
                await asyncio.sleep(0)
            connecting.cancel()
            (left,) = await asyncio.gather(connecting, return_exceptions=True)
            if not isinstance(left, BaseException):
                left.close()
        async with asyncio.timeout(5):
            await sender.close()
        await upstream.until_open(0)


async def test_a_connection_made_as_its_time_was_up_is_given_up(sender: HTTPSender) -> None:
    """At whatever step of connecting this process stands still, as one does that is stopped, or has no
    processor: when it goes on the connection is made, and its time is up."""
    async with ScriptedUpstream(always(OK)) as upstream:
        for steps in range(6):
            connecting = asyncio.create_task(
                line_to(sender, upstream.policy(), max_idle_seconds=0.0, timeout_seconds=0.01)
            )
            for _ in range(steps):
                await asyncio.sleep(0)
            moment = time.monotonic() + 0.02
            while time.monotonic() < moment:  # the loop stands still
                pass
            (left,) = await asyncio.gather(connecting, return_exceptions=True)
            if not isinstance(left, BaseException):
                left.close()
        async with asyncio.timeout(5):
            await sender.close()
        await upstream.until_open(0)


async def test_nothing_is_repeated_when_a_kept_connection_dies_under_a_request(sender: HTTPSender) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()

    async with ScriptedUpstream(script) as upstream:
        await call(sender, upstream.policy())
        with pytest.raises(Exception, match="before answering") as caught:
            await begin(sender, upstream.policy(), "POST", body=b"pay")
        assert caught.value.sent  # type: ignore[attr-defined]
        assert len(upstream.requests) == 2
        assert upstream.connections == 1
