"""What is asked of each peer, by the same clients in the same way.

Accepts are counted by wrk, 64 connections, while the upstream is silent, so that taking requests is all there
is to do. A whole life is measured with a number of submits, from the first of them until every result is
readable. The latency is that of one client, one submit at a time: it asks for the result again as soon as it
has been told that there is none yet.
"""

import asyncio
import re
import subprocess
import time
from pathlib import Path

from .rig import pinned
from .roster import HOST, SERVER, Peer

CONNECTIONS = 64
BODY = '{"request":{"amount":100,"currency":"USD","description":"%s","tracking_id":"t-1"}}' % ("x" * 218)
WARMING = 200
"""Submits before anything is measured: the worker is there, and pools are filled."""
FEWEST, MOST = 300, 20_000
"""Submits of one life."""
STEP = 12
"""How much more are tried where those were over too soon for a figure."""
SAMPLES = 16
"""Results looked at while a life ends, and as many of the last ones; all are, after the clock has stopped."""
PAUSE_SECONDS = 0.02
"""Between two looks at a result, so that the looks cost the peer nothing that is seen."""
PATIENCE_SECONDS = 40.0
LONGEST_SECONDS = 20.0
"""One answer of a peer."""
AT_ONCE = 16
LOOK_SECONDS = 0.005

ACCEPT = """
wrk.method = "POST"
wrk.body = [[{body}]]
wrk.headers["Content-Type"] = "application/json"
"""

# So many submits and no more: what would be asked beyond them waits until all is over. One request is made
# and not sent, when wrk looks at the script.
LIFE = """
local sent, answered, total = -1, 0, {total}
local out = io.open("{out}.part", "w")
wrk.body = [[{body}]]
wrk.headers["Content-Type"] = "application/json"
local submit
function init() submit = wrk.format("POST", "{path}") end
function delay() if sent < total then return 0 end return {patience} end
function request() sent = sent + 1 return submit end
function response(status, _, body)
  answered = answered + 1
  local id = (status == 200 or status == 202) and string.match(body, '{named}')
  out:write(id or ("refused " .. status .. " " .. string.sub(body, 1, 200)), "\\n")
  if answered == total then out:close() os.rename("{out}.part", "{out}") end
end
"""


class Failed(Exception):
    """A peer that does not do what is asked; the text says what it did instead."""


class Client:
    """One kept connection."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._named = re.compile(peer.named.encode())

    async def __aenter__(self) -> "Client":
        self._reader, self._writer = await asyncio.open_connection(HOST, SERVER)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def submit(self) -> str:
        head = f"POST {self._peer.submit} HTTP/1.1\r\nHost: {HOST}:{SERVER}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
        status, body = await self._exchange((head + BODY).encode())
        found = self._named.search(body)
        if status not in (200, 202) or found is None:
            raise Failed(f"a submit was answered {status} {body[:200]!r}")
        return found[1].decode()

    async def ready(self, name: str) -> bool:
        """Whether the result is readable. One that is another than the upstream's answer is a failure."""
        path = self._peer.result.format(name)
        status, body = await self._exchange(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{SERVER}\r\n\r\n".encode())
        if status == 200 and b"answer" not in body:
            raise Failed(f"a result was {body[:200]!r}")
        return status == 200

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        async with asyncio.timeout(LONGEST_SECONDS):
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if size is None:
                raise Failed(f"an answer without a length: {head[:200]!r}")
            return int(head[9:12]), await self._reader.readexactly(int(size[1]))


async def life(peer: Peer, folder: Path, seconds: float) -> float:
    """Completed per second, with so many submits that it takes about that long, or `MOST`."""
    await lives(peer, folder, WARMING)
    count = FEWEST
    while True:
        took = await lives(peer, folder, count)
        if took >= seconds / 2 or count == MOST:
            return count / took
        count = min(MOST, round(count * min(STEP, seconds / took)))


async def lives(peer: Peer, folder: Path, total: int) -> float:
    """Submits, 64 at once, and waits until every result is readable. How many seconds that took."""
    out, script = folder / "ids", folder / "life.lua"
    out.unlink(missing_ok=True)
    fields = {"total": total, "out": out, "body": BODY, "path": peer.submit, "named": peer.named}
    script.write_text(LIFE.format(**fields, patience=round(PATIENCE_SECONDS * 1000)))
    started = time.perf_counter()
    said = await spoken(await wrk(script, "/", PATIENCE_SECONDS), until=out)
    names = out.read_text().splitlines() if out.exists() else []
    if refused := [name for name in names if name.startswith("refused")]:
        raise Failed(f"of {total} submits {len(refused)} were {refused[0]}")
    if len(names) != total:
        raise Failed(f"of {total} submits {len(names)} were answered: {said[-300:]}")
    async with Client(peer) as client:
        for name in [*names[:: total // SAMPLES], *names[-SAMPLES:]]:
            await until_ready(client, name, started)
    ended = time.perf_counter()
    return max(ended, await last_ready(peer, names, started)) - started


async def until_ready(client: Client, name: str, started: float) -> float:
    """When it was, or 0 where it was ready at the first look."""
    looks = 0
    while not await client.ready(name):
        looks += 1
        if time.perf_counter() - started > PATIENCE_SECONDS:
            raise Failed(f"not all were completed after {PATIENCE_SECONDS:.0f} s")
        await asyncio.sleep(PAUSE_SECONDS)
    return time.perf_counter() if looks else 0.0


async def last_ready(peer: Peer, names: list[str], started: float) -> float:
    """Looks at every result, and waits for those that are not ready yet: when the last of these was, or 0."""

    async def some(part: list[str]) -> float:
        async with Client(peer) as client:
            return max([await until_ready(client, name, started) for name in part])

    return max(await asyncio.gather(*(some(names[start::AT_ONCE]) for start in range(AT_ONCE))))


async def latencies(peer: Peer, seconds: float) -> list[float]:
    """Milliseconds from the first byte of a submit to the last byte of its result, sorted."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    async with Client(peer) as client:
        while time.perf_counter() < end:
            started = time.perf_counter()
            name = await client.submit()
            while not await client.ready(name):
                if time.perf_counter() - started > LONGEST_SECONDS:
                    raise Failed(f"no result after {LONGEST_SECONDS:.0f} s")
            times.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.002)
    return sorted(times)


async def accepts(peer: Peer, folder: Path, seconds: float) -> float:
    """Accepted per second; what was answered otherwise does not count."""
    script = folder / "accept.lua"
    script.write_text(ACCEPT.format(body=BODY))
    said = await spoken(await wrk(script, peer.submit, seconds))
    done = re.search(r"(\d+) requests in ([\d.]+)s", said)
    if done is None:
        raise Failed(f"wrk: {said[-300:]}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return (int(done[1]) - (int(refused[1]) if refused else 0)) / float(done[2])


async def wrk(script: Path, path: str, seconds: float) -> asyncio.subprocess.Process:
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        f"{LONGEST_SECONDS:g}s",
    ]
    target = f"http://{HOST}:{SERVER}{path}"
    return await asyncio.create_subprocess_exec(
        *pinned([*command, "-s", str(script), target]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


async def spoken(process: asyncio.subprocess.Process, *, until: Path | None = None) -> str:
    """What it has printed. Where it would stay until its time is over, it is ended when a file is there."""
    while until is not None and not until.exists() and process.returncode is None:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)
    if until is not None and process.returncode is None:
        process.kill()
    return (await process.communicate())[0].decode(errors="replace")
