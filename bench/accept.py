"""Speed of the accept path and of a whole life: `python bench/accept.py [--rounds 3] [--seconds 4]`.

One run, interleaved rounds, medians. Printed are

    constant   the same server answering the same bytes without storing anything (the limit)
    accept     durable accepts: POST /async/echo, 300-byte body, 64 connections, SQLite; the upstream
               is silent, so that accepting is all that is done. The server has both cores, as it has
               where nobody pins it, and writes on the second one
    one core   the same with the server on one core, where a thread writes
    life       accept → upstream (answers at once) → result stored, per second from the first submit to
               the last result
    latency    one client, one at a time: submit → result in hand

The load and the upstream run on the second core; the server on the first one, or wherever it likes. Needs
`wrk` on the PATH.
"""

import argparse
import asyncio
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apsw
import httptools
import uvicorn
import uvloop

HERE = Path(__file__).parent
SERVER_PORT, UPSTREAM_PORT = 8611, 9611
CONNECTIONS = 64
BODY = '{"request":{"amount":100,"currency":"USD","description":"%s","tracking_id":"t-1"}}' % ("x" * 218)
SCRIPT = f"""
wrk.method = "POST"
wrk.body = [[{BODY}]]
wrk.headers["Content-Type"] = "application/json"
"""


def pinned(core: int | None, command: list[str]) -> list[str]:
    """The command on one core, where the machine has more than one and lets us choose. None: on any."""
    cores = os.cpu_count() or 1
    if core is None:
        return command
    return ["taskset", "-c", str(core), *command] if cores > 1 and shutil.which("taskset") else command


class Process:
    """A child that is ended when the block ends."""

    def __init__(self, core: int | None, *command: str) -> None:
        self.command = pinned(core, list(command))

    def __enter__(self) -> subprocess.Popen:
        self.child = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self.child

    def __exit__(self, *_: object) -> None:
        self.child.terminate()
        self.child.wait(60)


def wait_for(port: int) -> None:
    """Until something listens on `port`, at most ten seconds."""
    import socket

    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"nothing listens on {port}")


def wrk(path: str, seconds: float, script: str, connections: int = CONNECTIONS) -> tuple[float, str]:
    """Requests per second, and a remark where some failed."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", script]
    done = subprocess.run(
        pinned(1, [*command, f"http://127.0.0.1:{SERVER_PORT}{path}"]),
        capture_output=True,
        text=True,
        check=True,
    )
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    errors = re.search(r"Socket errors: (.*)", done.stdout)
    return rate, " ".join(match[0] for match in (bad, errors) if match)


def restante(store: str, core: int | None = None) -> Process:
    return Process(
        core,
        sys.executable,
        "-m",
        "restante",
        "serve",
        "--upstream",
        f"http://127.0.0.1:{UPSTREAM_PORT}",
        "--listen",
        f"127.0.0.1:{SERVER_PORT}",
        "--store",
        f"sqlite:///{store}",
    )


def resident_mib(process: subprocess.Popen) -> float:
    """Of the process and its children."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    texts = [Path(f"/proc/{number}/status").read_text() for number in (process.pid, *children)]
    return sum(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in texts) / 1024


def upstream(*flags: str) -> Process:
    return Process(1, sys.executable, str(HERE / "upstream.py"), str(UPSTREAM_PORT), *flags)


def measure_constant(seconds: float, script: str) -> float:
    with Process(0, sys.executable, str(HERE / "constant.py"), str(SERVER_PORT)):
        wait_for(SERVER_PORT)
        rate, remark = wrk("/async/echo", seconds, script)
    note(remark)
    return rate


def measure_accept(seconds: float, script: str, folder: str, core: int | None) -> tuple[float, float]:
    with upstream("--silent"), restante(f"{folder}/accept.db", core) as server:
        wait_for(UPSTREAM_PORT)
        wait_for(SERVER_PORT)
        idle = resident_mib(server)
        rate, remark = wrk("/async/echo", seconds, script)
        server.kill()  # a silent upstream would be waited for
    note(remark)
    remove(f"{folder}/accept.db")
    return rate, idle


def measure_life(seconds: float, script: str, folder: str) -> float:
    store = f"{folder}/life.db"
    with upstream(), restante(store):
        wait_for(UPSTREAM_PORT)
        wait_for(SERVER_PORT)
        started = time.perf_counter()
        _, remark = wrk("/async/echo", seconds, script)
        while counted(store, "due_at IS NOT NULL"):
            time.sleep(0.02)
        elapsed = time.perf_counter() - started
        total, completed = counted(store, "1"), counted(store, "result_status = 200")
    note(remark)
    if total != completed:
        print(f"  only {completed} of {total} completed", file=sys.stderr)
    remove(store)
    return completed / elapsed


def counted(store: str, where: str) -> int:
    connection = apsw.Connection(store, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(f"SELECT count(*) FROM transactions WHERE {where}").fetchone()[0]
    finally:
        connection.close()


def measure_latency(folder: str, count: int) -> list[float]:
    with upstream(), restante(f"{folder}/latency.db"):
        wait_for(UPSTREAM_PORT)
        wait_for(SERVER_PORT)
        times = asyncio.run(latencies(count))
    remove(f"{folder}/latency.db")
    return times


async def latencies(count: int) -> list[float]:
    """Milliseconds from the first byte of the submit to the last byte of the result."""
    reader, writer = await asyncio.open_connection("127.0.0.1", SERVER_PORT)
    host = f"Host: 127.0.0.1:{SERVER_PORT}\r\n"
    submit = f"POST /async/echo HTTP/1.1\r\n{host}Content-Length: {len(BODY)}\r\n\r\n{BODY}".encode()
    times = []
    for round_number in range(count + 50):
        started = time.perf_counter()
        _, body = await exchange(reader, writer, submit)
        path = re.search(rb'"response_url":"http://[^/]+([^"]+)"', body)[1].decode()
        poll = f"GET {path} HTTP/1.1\r\n{host}\r\n".encode()
        status = 425
        while status == 425:
            status, body = await exchange(reader, writer, poll)
        if round_number >= 50:
            times.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.002)
    writer.close()
    return times


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    return int(head[9:12]), await reader.readexactly(size)


def quantile(values: list[float], part: float) -> float:
    return values[int(len(values) * part)]


def note(remark: str) -> None:
    if remark:
        print("  " + remark, file=sys.stderr)


def remove(store: str) -> None:
    for suffix in ("", "-wal", "-shm", ".lock"):
        Path(store + suffix).unlink(missing_ok=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=4)
    options.add_argument("--folder", default=None, help="where the stores are put")
    chosen = options.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("bench/accept.py needs wrk (apt-get install wrk)")
    constant, accept, ratio, one_core, one_ratio, life, latency, idle = [], [], [], [], [], [], [], []
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        script = f"{folder}/post.lua"
        Path(script).write_text(SCRIPT)
        for number in range(chosen.rounds):
            constant.append(measure_constant(chosen.seconds, script))
            rate, resident = measure_accept(chosen.seconds, script, folder, None)
            accept.append(rate)
            idle.append(resident)
            ratio.append(rate / constant[-1])
            one_core.append(measure_accept(chosen.seconds, script, folder, 0)[0])
            one_ratio.append(one_core[-1] / constant[-1])
            life.append(measure_life(chosen.seconds, script, folder))
            latency += measure_latency(folder, 300)
            print(
                f"round {number + 1}: constant {constant[-1]:.0f}/s  accept {rate:.0f}/s "
                f"({ratio[-1]:.2f})  one core {one_core[-1]:.0f}/s ({one_ratio[-1]:.2f})  "
                f"life {life[-1]:.0f}/s",
                file=sys.stderr,
            )
    latency.sort()
    print(f"Python {platform.python_version()}, uvicorn {uvicorn.__version__}, uvloop {uvloop.__version__},")
    print(f"httptools {httptools.__version__}, SQLite {apsw.sqlite_lib_version()}, {os.cpu_count()} cores")
    print(f"constant   {statistics.median(constant):9.0f} /s")
    print(f"accept     {statistics.median(accept):9.0f} /s   {statistics.median(ratio):.2f} of constant")
    print(
        f"one core   {statistics.median(one_core):9.0f} /s   {statistics.median(one_ratio):.2f} of constant"
    )
    print(f"life       {statistics.median(life):9.0f} /s")
    print(f"latency    {quantile(latency, 0.5):9.2f} ms p50   {quantile(latency, 0.99):.2f} ms p99")
    print(f"idle       {statistics.median(idle):9.0f} MiB resident")


if __name__ == "__main__":
    main()
