"""What keys cost, and what they give away: `python bench/access.py [--rounds 5] [--seconds 3] [--asks 4000]`.

    accept     durable accepts with `auth.mode = "keys"`, as a part of those with `open`, in turn
    stranger   one client asks for somebody else's tasks and for such as never were, in a random order: the
               medians of both, and by how much the one differs from the other, within two standard errors

Needs `wrk` on the PATH.
"""

import argparse
import json
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PORTS = {"open": 8613, "keys": 8614}
TASKS = 200
CONNECTIONS = 64
SCRIPT = 'wrk.method = "POST"\nwrk.body = "{}"\n'


def serve(mode: str, folder: Path) -> tuple["subprocess.Popen[bytes]", list[str]]:
    """A server in front of nothing, and the keys of two tenants."""
    home = folder / mode
    home.mkdir()
    (home / "restante.toml").write_text(f'[upstream]\nurl = "http://127.0.0.1:1"\n[auth]\nmode = "{mode}"\n')
    restante = [sys.executable, "-m", "restante"]
    keys = [
        subprocess.run(
            [*restante, "keys", "create", "--tenant", tenant, "--scopes", "submit,read"],
            cwd=home,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for tenant in ("one", "other")
    ]
    child = subprocess.Popen(
        [*restante, "serve", "--listen", f"127.0.0.1:{PORTS[mode]}", "--log-level", "error"],
        cwd=home,
        stdout=subprocess.DEVNULL,
    )
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", PORTS[mode])).close()
            return child, keys
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


def accepts(mode: str, key: str, seconds: int, script: Path) -> float:
    """Accepts per second."""
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}",
        "-s",
        str(script),
        "-H",
        f"Restante-Key: {key}",
    ]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{PORTS[mode]}/async/echo"], capture_output=True, text=True, check=True
    )
    assert "Non-2xx" not in done.stdout, done.stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found
    return float(found[1])


class Client:
    """One connection."""

    def __init__(self, port: int, key: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._key = key

    def ask(self, method: str, target: str) -> tuple[float, bytes]:
        """Seconds, and the body."""
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: a\r\nRestante-Key: {self._key}\r\nContent-Length: 0\r\n\r\n"
        )
        begun = time.perf_counter()
        self._socket.sendall(head.encode())
        answer = b""
        while not answer.endswith(b"}"):
            answer += self._socket.recv(65536)
        return time.perf_counter() - begun, answer.partition(b"\r\n\r\n")[2]


def strangers(keys: list[str], asks: int) -> tuple[list[float], list[float]]:
    """Microseconds that each answer took: about somebody else's, and about what never was."""
    owner, stranger = (Client(PORTS["keys"], key) for key in keys)
    made = [json.loads(owner.ask("POST", "/async/echo")[1])["request_id"] for _ in range(TASKS)]
    never = [id[:-6] + "%06x" % (int(id[-6:], 16) ^ 0xABCDEF) for id in made]
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(asks * 2 + 200):
        which = random.randrange(2)
        seconds, body = stranger.ask("GET", "/async/status/" + random.choice((made, never)[which]))
        assert b'"unknown"' in body, body
        if number >= 200:
            took[which].append(seconds * 1e6)
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--asks", type=int, default=4000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "accept.lua"
        script.write_text(SCRIPT)
        servers = {mode: serve(mode, folder) for mode in PORTS}
        try:
            theirs, never = strangers(servers["keys"][1], arguments.asks)
            ratios = []
            for _ in range(arguments.rounds):
                found = {
                    mode: accepts(mode, servers[mode][1][0], arguments.seconds, script) for mode in PORTS
                }
                ratios.append(found["keys"] / found["open"])
        finally:
            for child, _ in servers.values():
                child.terminate()
                child.wait()
    print(f"accept     {statistics.median(ratios):.2f} of open ({min(ratios):.2f} to {max(ratios):.2f})")
    low, high = sorted(theirs)[: len(theirs) // 2], sorted(never)[: len(never) // 2]  # without the outliers
    error = (statistics.variance(low) / len(low) + statistics.variance(high) / len(high)) ** 0.5
    medians = f"{statistics.median(theirs):.0f} µs, of what never was {statistics.median(never):.0f} µs"
    print(f"stranger   somebody else's {medians}")
    more = statistics.mean(low) - statistics.mean(high)
    print(f"           the means of the faster halves differ by {more:+.1f} ± {2 * error:.1f} µs")


if __name__ == "__main__":
    main()
