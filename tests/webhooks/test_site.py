"""The places of one origin that is called back, and who has them."""

from restante.core.clock import MINUTE, SECOND
from restante.webhooks.breaker import FAILURES, FIRST_PAUSE
from restante.webhooks.site import Site

NOW = 1_700_000_000 * SECOND
ORIGIN = "cb_1 https://a.example"


def a_site(*, most: int = 8, each: int = 4) -> Site:
    return Site(ORIGIN, most=most, each=each)


def begun(site: Site, now: int = NOW) -> dict[str, int]:
    """Everything that may begin has begun."""
    wanted = site.wanted(now, free=100, lanes=100)
    for name, count in wanted.items():
        for _ in range(count):
            site.began(name)
    return wanted


def prove(site: Site, name: str) -> None:
    site.ring(name, NOW)
    assert begun(site) == {name: 1}
    site.ended(name, NOW, in_order=True)


def test_a_path_has_one_place_until_something_has_arrived_there() -> None:
    site = a_site()
    prove(site, "a")
    site.ring("a", NOW)
    site.ring("b", NOW)
    assert begun(site) == {"a": 4, "b": 1}
    site.ring("a", NOW)
    site.ring("b", NOW)
    assert begun(site) == {}
    for _ in range(4):
        site.ended("a", NOW, in_order=False)
    assert begun(site) == {"a": 1}


def test_an_endpoint_has_all_its_places_from_the_beginning() -> None:
    site = Site("ep_1", most=4, each=4)
    site.ring("ep_1", NOW)
    assert begun(site) == {"ep_1": 4}


def test_until_when_a_lane_is_spared_is_known() -> None:
    site = Site("ep_1", most=FAILURES, each=FAILURES)
    assert site.spared_until("ep_1") == 0
    site.ring("ep_1", NOW)
    begun(site)
    for _ in range(FAILURES):
        assert site.spared_until("ep_1") == 0
        site.ended("ep_1", NOW, in_order=False)
    assert site.spared_until("ep_1") == NOW + FIRST_PAUSE


def test_trials_have_half_of_the_places() -> None:
    site = a_site()
    prove(site, "well")
    for name in "abcdefgh":
        site.ring(name, NOW)
    assert begun(site) == dict.fromkeys("abcd", 1)
    site.ring("well", NOW)
    assert begun(site) == {"well": 4}
    assert site.next_at() is None  # what ends makes room
    site.ended("a", NOW, in_order=True)
    assert begun(site) == {"e": 1}


def test_what_was_never_tried_does_not_wait_until_others_are_well() -> None:
    site = a_site()
    for name in "abcd":
        site.ring(name, NOW)
    assert begun(site) == dict.fromkeys("abcd", 1)
    for name in "abcd":
        site.ended(name, NOW, in_order=False)
    for name in "abcdefg":
        site.ring(name, NOW)
    assert begun(site) == dict.fromkeys("abef", 1)
    site.ended("a", NOW, in_order=False)
    site.ring("a", NOW)
    assert begun(site) == {"c": 1}
    site.ended("e", NOW, in_order=False)
    assert begun(site) == {"g": 1}


def test_what_is_pardoned_begins_at_once() -> None:
    site = Site("ep_1", most=4, each=4)
    for _ in range(2):
        site.ring("ep_1", NOW)
        for _ in range(begun(site)["ep_1"]):
            site.ended("ep_1", NOW, in_order=False)
    site.ring("ep_1", NOW)
    assert begun(site) == {}
    assert site.next_at() == NOW + FIRST_PAUSE
    site.pardon("ep_1", NOW)
    assert begun(site) == {"ep_1": 4}


def test_one_path_does_not_speak_for_its_site() -> None:
    site = a_site()
    for _ in range(FAILURES):
        site.ring("a", NOW)
        assert begun(site) == {"a": 1}
        site.ended("a", NOW, in_order=False)
    site.ring("a", NOW)
    site.ring("b", NOW)
    assert begun(site) == {"b": 1}
    assert site.next_at() == NOW + FIRST_PAUSE


def test_what_is_rung_for_again_and_again_is_noted_once() -> None:
    site = a_site(each=1)
    for _ in range(100):
        site.ring("a", NOW + MINUTE)
        site.ring("a", NOW)
        assert begun(site) == {"a": 1}
        site.ended("a", NOW, in_order=True)
    site.ring("a", NOW + MINUTE)
    assert site.next_at() == NOW + MINUTE
    assert len(site._later) == 1
    assert begun(site, NOW + MINUTE) == {"a": 1}


def test_of_few_places_in_the_process_it_takes_no_more() -> None:
    site = a_site()
    for name in "abcd":
        site.ring(name, NOW)
    assert site.wanted(NOW, free=2, lanes=9) == {"a": 1, "b": 1}
    assert site.wanted(NOW, free=9, lanes=1) == {"c": 1}


def test_a_lane_of_which_there_is_nothing_to_remember_is_forgotten() -> None:
    site = a_site()
    site.ring("a", NOW)
    assert not site.forget("a")
    begun(site)
    assert not site.forget("a")
    site.ended("a", NOW, in_order=True)
    assert site.forget("a")
