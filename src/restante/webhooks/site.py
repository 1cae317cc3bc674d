"""What lanes share their places with: an endpoint has one lane, an origin that is called back one per path.

A path begins with one place, for a *trial*, and has all of a lane's as long as its last attempt was in
order: then it is *proven*. Trials have half of the site's places at most, and of these those of paths that
were in trouble before have half: what was never tried does not wait until they are well. What is proven goes
on whatever the others do, and comes first.

However many lanes a site has, it looks only at those that are due, and at no more of these than may begin or
are under way; the others lie in a heap, by the moment at which something is due there.
"""

from heapq import heappop, heappush

from .breaker import Breaker
from .lane import Lane

LOOKED_AT = 1000
"""Lanes that are found to be due at once; the others wait for nothing but the loop's next round."""


class Site:
    """`most` attempts are under way here at once, `each` in one lane. An endpoint's lane has its name."""

    __slots__ = (
        "_each",
        "_ill",
        "_lanes",
        "_later",
        "_most",
        "_name",
        "_new",
        "_proven",
        "_repeats",
        "_trials",
        "_well",
        "leads_to",
        "running",
    )

    def __init__(self, name: str, *, most: int, each: int) -> None:
        self.running = 0
        self.leads_to: tuple[str | None, bool] | None = None  # its endpoint's URL, and whether that is on
        self._name = name
        self._most = most
        self._each = each
        self._lanes: dict[str, Lane] = {}
        self._trials = 0  # under way, and of these those of paths that were in trouble before
        self._repeats = 0
        self._proven: set[str] = set()  # no more than one origin has lanes
        self._later: list[tuple[int, str]] = []
        self._well: dict[str, Lane] = {}  # due, and proven
        self._new: dict[str, Lane] = {}  # due, and never tried
        self._ill: dict[str, Lane] = {}  # due, and in trouble when it was last tried

    # -- what is due

    def ring(self, name: str, moment: int) -> None:
        """Something is due in a lane at that moment."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        if lane.due_at is None or moment < lane.due_at:
            lane.due_at = moment
            self._note(lane, moment)

    def wanted(self, now: int, *, free: int, lanes: int) -> dict[str, int]:
        """How many to take of which lanes: `free` at most, of so many lanes. For these nothing is due from
        here on, until it is rung for."""
        self._look(now)
        wanted: dict[str, int] = {}
        places = min(free, self._most - self.running)
        places -= self._choose(wanted, self._well, now, places=places, each=self._each, lanes=lanes)
        trials = max(self._most // 2, 1)
        places = min(places, trials - self._trials)
        repeats = min(places, max(trials // 2, 1) - self._repeats)
        places -= self._choose(wanted, self._ill, now, places=repeats, each=1, lanes=lanes)
        self._choose(wanted, self._new, now, places=places, each=1, lanes=lanes)
        return wanted

    def next_at(self) -> int | None:
        """When there is more to be begun, unless an attempt ends before."""
        return self._later[0][0] if self._later else None

    def forget(self, name: str) -> bool:
        """The lane, where there is nothing to remember of it. True: there is none left."""
        lane = self._lanes.get(name)
        if lane is not None and lane.due_at is None and not lane.running:
            del self._lanes[name]
        return not self._lanes

    def _note(self, lane: Lane, moment: int) -> None:
        if moment not in lane.noted:
            lane.noted.add(moment)
            heappush(self._later, (moment, lane.name))

    def _look(self, now: int) -> None:
        """Finds what has become due. What is left of very many is found when it is asked for again."""
        for _ in range(LOOKED_AT):
            if not self._later or self._later[0][0] > now:
                break
            moment, name = heappop(self._later)
            lane = self._lanes.get(name)
            if lane is not None:
                lane.noted.discard(moment)
                if lane.due_at is not None and lane.due_at <= now:
                    self._ready(lane)[name] = lane

    def _choose(
        self, wanted: dict[str, int], ready: dict[str, Lane], now: int, *, places: int, each: int, lanes: int
    ) -> int:
        """Adds to `wanted` what fits in so many places; how many it takes."""
        chosen = 0
        for lane in [*ready.values()] if places > 0 else ():
            if chosen >= places or len(wanted) >= lanes:
                break
            begins_at = lane.breaker.begins_at
            room = min(lane.breaker.slots(each) - lane.running, places - chosen)
            if begins_at > now:
                del ready[lane.name]
                self._note(lane, begins_at)
            elif room > 0:
                del ready[lane.name]
                lane.due_at = None
                wanted[lane.name] = room
                chosen += room
        return chosen

    # -- what is under way

    def began(self, name: str) -> None:
        """An attempt is under way in a lane."""
        lane = self._lanes[name]
        lane.running += 1
        self.running += 1
        if not self._is_proven(name) and not lane.trying:
            lane.trying = True
            self._trials += 1
            if lane.breaker.failures:
                lane.repeating = True
                self._repeats += 1

    def ended(self, name: str, now: int, *, in_order: bool) -> None:
        """It is not any more."""
        lane = self._lanes[name]
        lane.running -= 1
        self.running -= 1
        if lane.trying and not lane.running:
            self._trials -= 1
            self._repeats -= lane.repeating
            lane.trying = lane.repeating = False
        if in_order:
            lane.breaker.arrived()
            self._proven.add(name)
        else:
            self._proven.discard(name)
            lane.breaker.missed(now)
        self._sort(lane)

    def pardon(self, name: str, now: int) -> None:
        """What went wrong in a lane is forgotten: there is reason to believe that it will not any more."""
        lane = self._lanes.get(name)
        if lane is None:
            return
        lane.breaker = Breaker()
        self._sort(lane)
        if lane.due_at is not None and lane.due_at <= now:
            self._note(lane, now)

    def spared_until(self, name: str) -> int:
        """A moment; 0: nothing went wrong too often."""
        lane = self._lanes.get(name)
        return 0 if lane is None else lane.breaker.begins_at

    def _sort(self, lane: Lane) -> None:
        """Where it is due, it is so among its like."""
        for ready in (self._well, self._new, self._ill):
            if ready.pop(lane.name, None) is not None:
                self._ready(lane)[lane.name] = lane
                return

    def _ready(self, lane: Lane) -> dict[str, Lane]:
        """Its like, of what is due."""
        if self._is_proven(lane.name):
            return self._well
        return self._ill if lane.breaker.failures else self._new

    def _is_proven(self, name: str) -> bool:
        return name == self._name or name in self._proven
