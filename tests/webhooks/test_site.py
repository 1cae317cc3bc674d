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


def test_trials_have_half_of_the_places() -> None:
    site = a_site()
    prove(site, "well")
    for name in "abcdefgh":
        site.ring(name, NOW)
    assert begun(site) == dict.fromkeys("abcd", 1)
    site.ring("well", NOW)
    assert begun(site) == {"well": 4}
    assert site.next_at(NOW) is None  # what ends makes room
    site.ended("a", NOW, in_order=True)
    assert begun(site) == {"e": 1}


def test_of_a_site_in_trouble_one_path_is_tried_and_what_is_proven_goes_on() -> None:
    site = a_site(most=100)
    prove(site, "well")
    for name in "abcdefgh":
        site.ring(name, NOW)
    begun(site)
    for name in "abcdefgh":
        site.ended(name, NOW, in_order=False)
        site.ring(name, NOW)
    site.ring("well", NOW)
    assert begun(site) == {"well": 4}
    later = NOW + FIRST_PAUSE
    assert site.next_at(NOW) == later
    (tried,) = begun(site, later)
    assert begun(site, later) == {}
    site.ended(tried, later, in_order=True)
    assert len(begun(site, later)) == 7


def test_one_path_does_not_speak_for_its_site() -> None:
    site = a_site()
    for _ in range(FAILURES):
        site.ring("a", NOW)
        assert begun(site) == {"a": 1}
        site.ended("a", NOW, in_order=False)
    site.ring("a", NOW)
    site.ring("b", NOW)
    assert begun(site) == {"b": 1}
    assert site.next_at(NOW) == NOW + FIRST_PAUSE


def test_what_is_rung_for_again_and_again_is_noted_once() -> None:
    site = a_site(each=1)
    for _ in range(100):
        site.ring("a", NOW + MINUTE)
        site.ring("a", NOW)
        assert begun(site) == {"a": 1}
        site.ended("a", NOW, in_order=True)
    site.ring("a", NOW + MINUTE)
    assert site.next_at(NOW) == NOW + MINUTE
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
