"""The page about the client does what it says."""

import asyncio
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from restante.core.model import Query
from restante.core.status import Status

from ..gateway.conftest import MakeHouse

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


async def test_the_page_runs_from_top_to_bottom(make_house: MakeHouse) -> None:
    house = await make_house()
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    code = "\n".join(blocks).replace("127.0.0.1:8600", f"127.0.0.1:{house.port}").replace("…", "x")
    code = code.replace('    callback_url="https://shop.example/told",\n', "")
    printed = StringIO()
    with redirect_stdout(printed):
        running = asyncio.create_task(asyncio.to_thread(exec, code, {}))
        while not running.done():
            await asyncio.sleep(0)
            for one in await house.service.find(Query(tenant="default", status=Status.PENDING, limit=10)):
                if one.tracking_id is None:
                    await house.end(one.id, headers=((b"Content-Type", b"application/json"),))
        await running
    said = printed.getvalue().splitlines()
    assert said[0] == "200 application/json {'ok': True}"
    assert said[2] == "pending"
    assert said[-1] == "3 completed Completed"
