"""A line between the command and a real server, which can be cut in the middle of an answer."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

PIECE = 64 * 1024


class Cable:
    """Forwards connections to `port`. The n-th is cut after `lengths[n]` bytes of answer, the rest never."""

    def __init__(self, port: int, lengths: Sequence[int]) -> None:
        self.asked: list[str] = []
        """What each connection asked, in lower case."""
        self._target = port
        self._lengths = list(lengths)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                caller, _ = self._listener.accept()
                length = self._lengths.pop(0) if self._lengths else None
                threading.Thread(target=self._forward, args=(caller, length), daemon=True).start()

    def _forward(self, caller: socket.socket, length: int | None) -> None:
        with caller, socket.create_connection(("127.0.0.1", self._target), 10) as server, suppress(OSError):
            request = caller.recv(PIECE)
            self.asked.append(request.decode().lower())
            # One request on a connection: the server closes it behind its answer.
            server.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            while length is None or length > 0:
                piece = server.recv(PIECE if length is None else min(PIECE, length))
                if not piece:
                    break
                caller.sendall(piece)
                if length is not None:
                    length -= len(piece)


@contextmanager
def cut(url: str, *lengths: int) -> Iterator[Cable]:
    cable = Cable(int(url.rpartition(":")[2]), lengths)
    yield cable
    cable.close()
