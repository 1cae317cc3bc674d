"""Every failpoint is a real place, is killed at, and is nowhere in a server that was not asked for it."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from restante.failpoints.orders import Order, Struck, Unusable, read
from restante.failpoints.places import Place
from restante.failpoints.points import BY_NAME, POINTS
from restante.failpoints.putting import _with_points, find, put
from restante.runner.direct import Attempt

from ..e2e import story
from ..house.plan import FLOORS, PACKAGE, modules

E2E = Path(story.__file__).parent

EVERYTHING = """
import importlib, pkgutil, sys
import restante
for room in "assembly cli dashboard gateway outbound runner sealing service stores webhooks".split():
    package = importlib.import_module("restante." + room)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
print([name for name in sys.modules if "failpoints" in name])
"""


@pytest.mark.parametrize(
    "place", [place for point in POINTS for place in point.places], ids=lambda place: str(place)
)
def test_every_point_stands_at_a_function_that_there_is(place: Place) -> None:
    find(place)


def test_a_place_that_is_none_is_told() -> None:
    for function in ("runner.nothing:Attempts.run", "runner.attempt:Attempts.walk", "runner.attempt:Chance"):
        with pytest.raises(LookupError):
            find(Place("before", function))


def test_every_name_is_there_once() -> None:
    assert len(BY_NAME) == len(POINTS)


def test_at_every_point_a_process_is_killed_on_every_store_that_reaches_it() -> None:
    for path in E2E.glob("test_kill*.py"):
        importlib.import_module(f"{story.__package__}.{path.stem}")
    assert {(store, point.name) for point in POINTS for store in point.stores} == story.COVERED


def test_nothing_but_the_failpoints_knows_of_them() -> None:
    room = PACKAGE / "failpoints"
    assert not [path for path in modules() if room not in path.parents and "failpoint" in path.read_text()]
    assert not [name for name, seen in FLOORS.items() if "failpoints" in seen]


def test_a_server_that_is_started_as_ever_has_loaded_nothing_of_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGE.parent)},
        check=True,
    )
    assert done.stdout == "[]\n"


# -- what is asked for


def test_an_order_names_a_point_an_action_and_which_time() -> None:
    point = BY_NAME["mark.committed"]
    assert read("mark.committed=kill") == [Order(point, "kill", 1)]
    assert read("mark.committed=raise@3, end.committed=pause:250ms") == [
        Order(point, "raise", 3),
        Order(BY_NAME["end.committed"], "pause", 1, 0.25),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mark.comitted=kill", "did you mean mark.committed?"),
        ("", "there is no ''"),
        ("mark.committed", "an action is kill, raise or pause:DURATION"),
        ("mark.committed=die", "an action is kill, raise or pause:DURATION"),
        ("mark.committed=pause", "an action is kill, raise or pause:DURATION"),
        ("mark.committed=pause:long", "behind pause: stands a duration"),
        ("mark.committed=kill@0", "behind @ stands which time"),
        ("mark.committed=kill@x", "behind @ stands which time"),
    ],
)
def test_what_is_no_order_is_refused(text: str, says: str) -> None:
    with pytest.raises(Unusable, match=says.replace("?", r"\?")):
        read(text)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing=kill", "serve"], "there is no 'nothing'"),
        (
            ["mark.committed=kill"],
            "mark.committed=kill is followed by no command: mark.committed=kill serve …",
        ),
    ],
)
def test_the_command_refuses_it_in_one_line(words: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "restante.failpoints", *words],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGE.parent)},
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"restante: failpoints: {says}\n"


# -- at a point


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has gone by the function that the point `attempt.begun` stands before."""
    names: list[str] = []

    def start(claim: str) -> None:
        names.append(claim)

    monkeypatch.setattr(Attempt, "start", start)
    return names


async def test_a_point_strikes_the_time_it_is_told_and_never_again(passed: list[str]) -> None:
    put(read("attempt.begun=raise@2"))
    Attempt.start("first")
    with pytest.raises(Struck, match=r"attempt\.begun"):
        Attempt.start("second")
    Attempt.start("third")
    assert passed == ["first", "third"]


async def test_what_pauses_at_a_point_goes_on(passed: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    put(read("attempt.begun=pause:1ms"))
    Attempt.start("first")
    assert passed == ["first"]
    assert capfd.readouterr().err == "failpoint attempt.begun: pause\n"


def test_processes_of_ours_that_are_started_have_them_too_and_no_others() -> None:
    def command(*words: str) -> list[str]:
        return list(_with_points([sys.executable, *words], "a.b=kill"))

    ours = ["-m", "restante.failpoints", "a.b=kill"]
    assert command("-m", "restante", "serve") == [sys.executable, *ours, "-m", "restante", "serve"]
    assert command("-m", "restante.stores.sqlite.child", "7")[1:4] == ours
    for other in (["-m", "pip"], ["-m", "restantes"], ["-c", "pass"], ["x.py"], []):
        assert command(*other) == [sys.executable, *other]
    assert _with_points("ls", "a.b=kill") == "ls"
