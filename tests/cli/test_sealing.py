"""Secrets at rest, from outside: the settings, `check`, `keys rotate-data`, and a server that is refused."""

import re
import subprocess
from pathlib import Path

import pytest

from ..insisting import asked
from ..sealing.keys import NEW, OLD, written
from .process import RESTANTE, Running, run

UPSTREAM = "http://127.0.0.1:9"
MARKER = "4200000000000000"
KEYS = {"OLD": written(OLD), "NEW": written(NEW)}


def settings(folder: Path, *places: str) -> None:
    listed = ", ".join(f'"{place}"' for place in places)
    sealing = f'[sealing]\nkeys = [{listed}]\nfolder = "keys"\n' if places else ""
    (folder / "restante.toml").write_text(
        f'listen = "127.0.0.1:0"\nstore = "sqlite:///here.db"\n[upstream]\nurl = "{UPSTREAM}"\n{sealing}'
    )


def served(folder: Path) -> tuple[int, str]:
    with Running(*RESTANTE, "serve", folder=folder, **KEYS) as server:
        port = server.port()
        answer = asked(
            "POST",
            f"http://127.0.0.1:{port}/async/payments",
            json={"card": MARKER},
            headers={"Restante-Delay": "1h", "Authorization": f"Bearer {MARKER}"},
        )
        assert answer.status_code == 202
        shown = asked("GET", f"http://127.0.0.1:{port}/-/transactions/{answer.json()['request_id']}")
        assert shown.json()["status"] == "pending"
        return server.stop()


def test_what_a_server_with_keys_leaves_on_disk_tells_nothing(tmp_path: Path) -> None:
    settings(tmp_path, "env:OLD")
    assert served(tmp_path)[0] == 0
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "restante.toml"]
    assert {"here.db", "identity.key"} <= {path.name for path in kept}
    for path in kept:
        assert MARKER.encode() not in path.read_bytes()
        assert OLD not in path.read_bytes()


def test_a_master_key_that_others_may_read_is_told_of(tmp_path: Path) -> None:
    key = tmp_path / "master"
    key.write_text(written(OLD))
    settings(tmp_path, "file:master")
    for mode, told in ((0o644, True), (0o600, False)):
        key.chmod(mode)
        assert ("others may read file:master" in run("check", folder=tmp_path).stdout) is told
        with Running(*RESTANTE, "serve", folder=tmp_path) as server:
            server.port()
            assert ("may read the master key in file:master" in server.stop()[1]) is told


def refusal(ended: subprocess.CompletedProcess[str]) -> str:
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    for key in KEYS.values():
        assert key not in ended.stderr
    return ended.stderr.removeprefix("restante: ").strip()


def test_a_master_key_is_rotated_with_one_command(tmp_path: Path) -> None:
    settings(tmp_path, "env:OLD")
    served(tmp_path)
    settings(tmp_path, "env:NEW", "env:OLD")
    done = run("keys", "rotate-data", folder=tmp_path, **KEYS)
    assert (done.returncode, done.stderr) == (0, "")
    # In the last hour of a day the next one's keys are there already.
    assert re.fullmatch("sealed anew: [345] data keys, the secrets of 0 endpoints\n", done.stdout)
    again = run("keys", "rotate-data", "--json", folder=tmp_path, **KEYS)
    assert '"data_keys": 0' in again.stdout
    settings(tmp_path, "env:OLD")
    assert "is under the master key" in refusal(run("serve", folder=tmp_path, **KEYS))
    settings(tmp_path, "env:NEW")
    assert served(tmp_path)[0] == 0


def test_a_server_that_lacks_the_keys_ends_with_one_line(tmp_path: Path) -> None:
    settings(tmp_path, "env:OLD")
    served(tmp_path)
    settings(tmp_path)
    said = "sealing: what is in the store is sealed: sealing.keys and sealing.folder are needed"
    assert refusal(run("serve", folder=tmp_path)) == said
    assert refusal(run("migrate", "--restored", folder=tmp_path)) == said
    (tmp_path / "keys").rename(tmp_path / "elsewhere")
    settings(tmp_path, "env:OLD")
    assert "keys cannot be used: No such file or directory" in refusal(run("serve", folder=tmp_path, **KEYS))


def test_check_says_what_is_kept_in_clear(tmp_path: Path) -> None:
    settings(tmp_path)
    clear = run("check", folder=tmp_path)
    assert (
        "sealing         off: bodies, credentials, results and webhook secrets are kept in clear"
        in clear.stdout
    )
    settings(tmp_path, "env:NEW", "file:old.key")
    (tmp_path / "old.key").write_text(OLD.hex() + "\n")
    sealed = run("check", folder=tmp_path, **KEYS)
    assert (sealed.returncode, sealed.stderr) == (0, "")
    assert "under master key " in sealed.stdout
    assert "data keys in keys" in sealed.stdout
    assert KEYS["NEW"] not in sealed.stdout + run("check", "--json", folder=tmp_path, **KEYS).stdout


@pytest.mark.parametrize(
    ("places", "content", "said"),
    [
        (["env:NOBODY"], "", "sealing.keys[0]: env:NOBODY: there is no such variable in the environment"),
        (
            ["env:OLD", "file:a"],
            None,
            "sealing.keys[1]: file:a: the file cannot be read: No such file or directory",
        ),
        (["file:a"], "short", "sealing.keys[0]: file:a: expected 32 bytes as base64 or hex"),
        (["file:a"], "é" * 30, "sealing.keys[0]: file:a: expected 32 bytes as base64 or hex"),
        (["env:OLD", "file:a"], KEYS["OLD"], "sealing.keys: the same key is in two places"),
        ([KEYS["OLD"]], "", "sealing.keys[0]: expected env:VARIABLE or file:PATH, where the key is"),
        (["env:OLD", "env:OLD"], "", "sealing.keys: expected different places"),
    ],
)
def test_a_key_that_is_none_is_one_line_without_it(
    tmp_path: Path, places: list[str], content: str | None, said: str
) -> None:
    settings(tmp_path, *places)
    if content is not None:
        (tmp_path / "a").write_text(content)
    assert refusal(run("check", folder=tmp_path, **KEYS)).startswith(said)
