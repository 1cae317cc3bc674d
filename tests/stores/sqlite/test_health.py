"""The measures of a file, against what the file system says."""

import os
from pathlib import Path

from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore

from ..samples import NOW


async def test_sizes_are_the_file_systems_and_too_little_room_is_an_alarm(tmp_path: Path) -> None:
    path = tmp_path / "restante.db"
    room = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    store = await SQLiteStore.open(str(path), limits=Limits(reserve=room))
    try:
        health = await store.health(NOW)
        measures = {measure.name: measure for measure in health.measures}
        assert measures["file_bytes"].value == path.stat().st_size
        assert measures["log_bytes"].value == Path(f"{path}-wal").stat().st_size
        assert [measure.name for measure in health.measures if measure.alarming] == ["free_on_disk_bytes"]
    finally:
        await store.close()
