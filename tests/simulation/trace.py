"""What happened, in its order: a hash by which two runs are compared, and lines for who looks into one."""

from collections.abc import Callable
from hashlib import blake2b


class Trace:
    """`say` is given a line for each thing that happens."""

    def __init__(self, say: Callable[[str], object] | None = None) -> None:
        self._hash = blake2b(digest_size=16)
        self._say = say

    def tell(self, at: float, who: str, what: str, about: object = "") -> None:
        line = f"{at:.6f} {who} {what} {about}"
        self._hash.update(line.encode())
        if self._say is not None:
            self._say(line)

    @property
    def hash(self) -> str:
        """Stands for all that was told so far."""
        return self._hash.hexdigest()
