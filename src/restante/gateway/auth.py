"""Who is asking. `keys` and `passthrough` get their own classes beside this one."""

from collections.abc import Sequence

from ..ports import Caller

DEFAULT = Caller("default")


class OpenAuth:
    """Everybody is the one tenant; `Authorization` is the upstream's and is not looked at."""

    async def identify(self, headers: Sequence[tuple[bytes, bytes]]) -> Caller:
        return DEFAULT

    def recognise(self, headers: Sequence[tuple[bytes, bytes]]) -> Caller:
        return DEFAULT
