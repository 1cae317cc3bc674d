"""Who may ask, as real processes: each mode, keys made beside a running server, revoked on all of them."""

from pathlib import Path

import apsw
import httpx
import pytest

from ..cli.process import run
from ..insisting import caller
from .harness import Call, Process, RecordingUpstream, free_port, serving, settled

SHOP, OTHER = ("363", "secret"), ("364", "secret")


def configured(folder: Path, mode: str) -> Path:
    (folder / "restante.toml").write_text(f'[auth]\nmode = "{mode}"\n')
    return folder


def keys(folder: Path, *arguments: str, store: str = "") -> str:
    """`restante keys …` in the store, while servers may be at work on it."""
    store = store or f"sqlite:///{folder}/restante.db"
    done = run("keys", *arguments, "--store", store, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> str:
    """Of each kind of store one that is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/restante.db"
    url: str = request.getfixturevalue("database")
    return url


async def test_open_serves_this_machine_alone(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream:
        for more, code in (((), 2), (("--insecure",), None)):
            port = free_port()
            command = ["-m", "restante", "serve", "--upstream", upstream.url, "--listen", f"0.0.0.0:{port}"]
            process = Process(*command, *more, port=port, cwd=tmp_path)
            if code is None:
                await process.ready()
                await process.terminate()
            else:
                assert await process.ended() == code
                assert process.errors().count("\n") == 1
                assert "listen: 0.0.0.0" in process.errors()


@pytest.mark.parametrize("store_url", ["sqlite", "postgres"], indirect=True)
async def test_keys_are_made_and_revoked_while_servers_run(tmp_path: Path, store_url: str) -> None:
    configured(tmp_path, "keys")
    async with RecordingUpstream() as upstream, caller() as client:
        count = 1 if store_url.startswith("sqlite") else 2
        nodes = [await serving(upstream.url, tmp_path, "--store", store_url).ready() for _ in range(count)]
        try:
            url = nodes[0].url
            assert (await client.post(url + "/async/x")).status_code == 401
            key = keys(tmp_path, "create", "--tenant", "acme", "--scopes", "submit,read", store=store_url)
            made = keys(
                tmp_path, "create", "--tenant", "acme", "--scopes", "operate", "--json", store=store_url
            )
            assert key.startswith("rst_")
            accepted = await client.post(url + "/async/x", auth=("me", key))
            assert accepted.status_code == 202
            client.headers["Restante-Key"] = key
            await settled(client, url, accepted.json()["request_id"])
            assert upstream.calls[-1].header("authorization") is None
            boss = {"RESTANTE_KEY": made.partition('"key":')[2].split('"')[1], "RESTANTE_SERVER": url}
            assert boss["RESTANTE_KEY"].startswith("rst_")
            assert "needs a key of the tenant *" in run("upstreams", folder=tmp_path, **boss).stderr
            all = keys(tmp_path, "create", "--tenant", "*", "--scopes", "operate", store=store_url).strip()
            assert run("upstreams", folder=tmp_path, **boss | {"RESTANTE_KEY": all}).returncode == 0
            assert run("list", folder=tmp_path, **boss).returncode == 2  # it cannot read
            listed = run("list", "--key", key, "--server", url, folder=tmp_path)
            assert accepted.json()["request_id"] in listed.stdout
            for node in nodes:
                assert (await client.get(node.url + "/-/transactions")).status_code == 200
            keys(tmp_path, "revoke", key.split("_")[1], store=store_url)
            for node in nodes:
                assert (await client.get(node.url + "/-/transactions")).status_code == 401
                assert (await client.post(node.url + "/async/x")).status_code == 401
            other = keys(tmp_path, "create", "--tenant", "acme", "--scopes", "read", store=store_url)
            client.headers["Restante-Key"] = other
            assert (await client.get(url + "/-/transactions")).status_code == 200
            done = run("keys", "revoke", other.split("_")[1], folder=tmp_path, **boss)
            assert done.returncode == 0, done.stderr
            assert (await client.get(url + "/-/transactions")).status_code == 401
        finally:
            for node in nodes:
                await node.terminate()


async def test_what_curl_sends_is_understood(tmp_path: Path) -> None:
    configured(tmp_path, "keys")
    key = keys(tmp_path, "create", "--tenant", "acme", "--scopes", "submit")  # the first: the store is made
    async with RecordingUpstream() as upstream:
        server = await serving(upstream.url, tmp_path).ready()
        try:
            for arguments in (["-u", f"{key}:"], ["-u", f"me:{key}"], ["-H", f"Authorization: Bearer {key}"]):
                async with caller() as client:
                    request = _as_curl(client, arguments, server.url + "/async/x")
                    assert (await client.send(request)).status_code == 202
            assert key not in server.errors()
            stored = b"".join(path.read_bytes() for path in tmp_path.glob("restante.db*"))
            assert key.encode() not in stored
        finally:
            await server.terminate()


def _as_curl(client: httpx.AsyncClient, arguments: list[str], url: str) -> httpx.Request:
    """The request that curl would send with these."""
    name, value = arguments
    if name == "-u":
        user, _, password = value.partition(":")
        return next(httpx.BasicAuth(user, password).auth_flow(client.build_request("POST", url)))
    field, _, content = value.partition(": ")
    return client.build_request("POST", url, headers={field: content})


async def test_the_callers_own_credentials_are_the_owner(tmp_path: Path) -> None:
    configured(tmp_path, "passthrough")

    def answer(call: Call) -> bytes:
        code = b"200 OK" if call.header("authorization") else b"401 Unauthorized"
        return b"HTTP/1.1 " + code + b"\r\nContent-Length: 2\r\n\r\n{}"

    async with RecordingUpstream(answer) as upstream, caller() as client:
        server = await serving(upstream.url, tmp_path).ready()
        try:
            assert (await client.post(server.url + "/async/x")).status_code == 401
            assert (await client.get(server.url + "/x")).status_code == 401  # the upstream's own word
            assert not (await client.get(server.url + "/x")).headers.get("restante-status")
            accepted = (await client.post(server.url + "/async/x", auth=SHOP)).json()
            client.auth = SHOP  # type: ignore[assignment]
            await settled(client, server.url, accepted["request_id"])
            for who, code in ((SHOP, 200), (OTHER, 404)):
                assert (await client.get(accepted["response_url"], auth=who)).status_code == code
            assert (
                upstream.calls[-1].header(
                    "authorization",
                )
                is not None
            )
            assert (await client.get(server.url + "/-/store")).status_code == 403
        finally:
            await server.terminate()
        sent = next(call.header("authorization") for call in upstream.calls if call.header("authorization"))
        assert sent is not None
        file = apsw.Connection(f"{tmp_path}/restante.db")
        kept = [bytes(row[0]) for row in file.execute("SELECT headers FROM requests")]
        file.close()
        assert kept
        assert all(sent.encode() not in headers for headers in kept)
