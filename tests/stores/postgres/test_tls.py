"""TLS that does not come about is called so, in one line."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from restante.core.errors import SettingError
from restante.stores.postgres.migrate import reached
from restante.stores.postgres.url import read_url

from ...outbound.certificates import Authority

SECRET = "hunter2"


@asynccontextmanager
async def a_server(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """One that says `answer` to the wish for TLS; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(8)
            writer.write(answer)
            if tls is not None:
                await writer.start_tls(tls)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def refusal(port: int, options: str) -> str:
    with pytest.raises(SettingError) as refused:
        await reached(read_url(f"postgresql://me:{SECRET}@127.0.0.1:{port}/db?{options}"))
    text = str(refused.value)
    assert text.startswith(f"store: postgresql://me@127.0.0.1:{port}/db: ")
    assert "\n" not in text
    assert SECRET not in text
    return text


@pytest.fixture(autouse=True)
def nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


async def test_a_root_certificate_that_is_not_there_is_asked_for() -> None:
    assert "TLS: there is no root certificate" in await refusal(1, "sslmode=verify-full")


async def test_a_mode_that_is_none_is_named() -> None:
    assert "TLS: sslmode" in await refusal(1, "sslmode=always")


async def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text("nothing")
    assert "TLS: a file of" in await refusal(1, f"sslmode=verify-full&sslrootcert={tmp_path}/root.pem")


async def test_a_file_that_is_not_there_is_named() -> None:
    assert "TLS: the file of sslrootcert" in await refusal(1, "sslmode=verify-full&sslrootcert=/no/such")


async def test_a_server_without_tls_is_called_so() -> None:
    async with a_server(b"N") as port:
        assert "TLS: the server offers none" in await refusal(port, "sslmode=require")


async def test_a_certificate_that_cannot_be_verified_is_called_so(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ours.issue("elsewhere.test"))
    for authority in (ours, other):
        async with a_server(b"S", context) as port:
            told = await refusal(port, f"sslmode=verify-full&sslrootcert={authority.file}")
            assert "TLS: the server's certificate is not accepted" in told
