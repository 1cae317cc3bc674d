"""A client and a server that is killed and started again."""

import threading
from pathlib import Path

import pytest

from restante import Client

from ..cli.process import PATIENCE_SECONDS, RESTANTE, Running, taken_port
from ..cli.upstream import Answer, Seen, serving

LONG_SECONDS = 5 * PATIENCE_SECONDS

pytestmark = pytest.mark.slow


def test_a_client_waits_over_the_death_of_its_server(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def answer(seen: Seen) -> Answer:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return 201, [], b"done"

    with taken_port() as port:
        pass
    with serving(answer) as upstream, Client(f"http://127.0.0.1:{port}", patience=LONG_SECONDS) as client:
        words = ("serve", "--upstream", upstream.url, "--listen", f"127.0.0.1:{port}")
        with Running(*RESTANTE, *words, folder=tmp_path) as server:
            server.port()
            handle = client.submit("PUT", "/slow")  # may be repeated, so it is run again after the crash
            assert begun.wait(PATIENCE_SECONDS)
            waiting = threading.Thread(target=lambda: answers.append(handle.result(timeout=LONG_SECONDS)))
            answers: list[object] = []
            waiting.start()
            server.child.kill()
            server.child.wait(PATIENCE_SECONDS)
        again = Client(f"http://127.0.0.1:{port}").handle(handle.id)
        with Running(*RESTANTE, *words, folder=tmp_path) as server:
            server.port()
            go_on.set()
            assert again.result(timeout=LONG_SECONDS).content == b"done"
            waiting.join(LONG_SECONDS)
    assert [one.content for one in answers] == [b"done"]  # type: ignore[attr-defined]
