"""One list request in place of many status checks, where a provider lists its operations.

A pass asks for page after page of one parent's operations (a model's, where lists are by model) while a page
answers more operations than it costs. Passes come as often as their operations together deserve: with gaps gᵢ
of their own, a pass of p pages is worth its requests each √p / √(Σ 1/gᵢ²) seconds.

Newest first is assumed of a server's order: a pass ends where a page brings little that is waited for, so
finished operations behind the open ones are never paged through. In another order a pass answers little,
lists rest, and single checks go on.

Most of what a page shows runs on, and its own check, which the lists save, is far. It is passed over: that
it ran then is kept once for the whole pass, and taken into account before anything is concluded from it. Only
of what falls due before lists would come again twice is the check put off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Final

from veo_async.answers import Finished, Listed, Lost, NotSent, Refused, Running, Unreadable
from veo_async.engine.events import Action, CheckList, ListEnded, OperationKey, OperationParent
from veo_async.engine.retries import NO_LISTS_STATUSES, has_no_lists, holds_for_all
from veo_async.engine.watches import TICK_S, Watch, WatchList

__all__ = ["Listings", "is_never"]

PROBE_FROM: Final = 8
"""Operations of one parent that wait before a list is tried."""
WORTH: Final = 2
"""Operations that a page must answer to be worth its request."""
STRAGGLERS: Final = 0.25
"""So many operations that no page had yet, as a share of what a page answered, are left for another time."""
PUT_OFF_PASSES: Final = 2
"""A check that falls due before so many further passes is put off, as the operation was seen to run."""
JOIN_S: Final = 1.0
"""An operation that falls due so soon before a list waits for it."""
REST_S, LONGEST_REST_S = 15.0, 600.0
"""How long lists rest after one that failed or answered little, twice as long each time in a row."""

_FORBIDDEN: Final = 403
_FAILURES: Final = range(400, 600)
_TELLING: Final = (Running, Finished)
"""What a list says of an operation that is as good as the answer to a check of its own."""


class Listing:
    """The lists of one parent."""

    def __init__(self, parent: OperationParent) -> None:
        self.parent = parent
        self.members: dict[str, Watch] = {}
        """Operations that lists may answer, by name; those that ended are cleared away at the next pass."""
        self.due: dict[str, OperationKey] = {}
        """Operations whose check waits for the pass, by name."""
        self.is_asking = False
        """A page is under way."""
        self.next_at: float = math.inf
        """When the next page is to be asked for; infinite while one is, and while single checks do."""
        self.rest_until: float = -math.inf
        self.passed_at: float = -math.inf
        """When the last pass that came to its end was begun: all members that it did not miss ran then."""
        self.missed: set[str] = set()
        self.gap: float = math.inf
        """Seconds from the last pass to the next one."""
        self._rest_s = REST_S
        self.begin()

    def begin(self) -> None:
        """Make ready for a pass."""
        self.begun_at: float = -math.inf
        self.unseen: set[str] = set()
        self.token: str | None = None
        self.pages = 0
        self.answered = 0
        self.worth: float = 0.0

    def passed(self) -> None:
        """Keep what a pass has shown."""
        self.passed_at, self.missed = self.begun_at, self.unseen

    def shown_at(self, name: str) -> float:
        """Return when a member ran for certain, as far as the last pass showed it, unless it came later."""
        return self.passed_at if name in self.members and name not in self.missed else -math.inf

    def rest(self, now: float) -> None:
        """Leave it to single checks for a while."""
        self.next_at = math.inf
        self.rest_until = now + self._rest_s
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)

    def works(self, now: float, shortest: float) -> None:
        """Plan the next pass after one that was worth it."""
        self._rest_s = REST_S
        gap = math.sqrt(self.pages / self.worth) if self.worth else math.inf
        self.gap = max(shortest, gap)
        next_at = now + self.gap
        if TICK_S <= self.gap < math.inf:  # on the checks' grid, so that one turn serves many parents' lists
            next_at = max(round(next_at / TICK_S) * TICK_S, self.begun_at + shortest)
        self.next_at = next_at


class Listings:
    """The lists of all parents: which operations they answer, and when pages are asked for."""

    def __init__(self, parent_of: Callable[[str], str | None], watches: WatchList, shortest: float) -> None:
        """Answer operations of `watches` by lists.

        Args:
            parent_of: Says whose list holds an operation, by its name; None: the one list holds all.
            watches: The operations under watch.
            shortest: Seconds between two passes, at least.
        """
        self._parent_of = parent_of
        self._watches = watches
        self._shortest = shortest
        self._by_parent: dict[OperationParent, Listing] = {}
        self._useless: set[OperationParent] = set()
        self._alone: set[OperationKey] = set()

    def opened(self, key: OperationKey) -> None:
        """Note that an operation is under watch."""
        parent = self._parent(key)
        watch = self._watches.find(key)
        if parent not in self._useless and watch is not None:
            self._by_parent.setdefault(parent, Listing(parent)).members[key.name] = watch

    def next_at(self) -> float:
        """Return when the next page is to be asked for; infinite when none is."""
        return min((listing.next_at for listing in self._by_parent.values()), default=math.inf)

    def take(self, room: int, now: float) -> list[CheckList]:
        """Return the pages to ask for now, at most `room`."""
        due = [listing for listing in self._by_parent.values() if listing.next_at <= now]
        due.sort(key=attrgetter("next_at"))  # else, where the rate is short, one parent has all of it
        return [page for listing in due[:room] if (page := self._ask(listing, now)) is not None]

    def alone(self, keys: Iterable[OperationKey], now: float) -> Iterator[OperationKey]:
        """Return those of the due operations that are to be asked for alone; lists answer the rest."""
        for key in keys:
            listing = self._by_parent.get(self._parent(key))
            if listing is None or key in self._alone or not self._is_in_use(listing, now):
                yield key
            else:
                listing.due[key.name] = key

    def shown_at(self, key: OperationKey) -> float:
        """Return when lists last showed an operation to run, unless it came later."""
        listing = self._by_parent.get(self._parent(key))
        return -math.inf if listing is None else listing.shown_at(key.name)

    def returned(self, parent: OperationParent, now: float) -> bool:
        """Take back a page that was not asked for after all; False for one that nobody waits for."""
        listing = self._by_parent.get(parent)
        if listing is None or not listing.is_asking:
            return False
        listing.is_asking, listing.next_at = False, now
        return True

    def is_asked(self, parent: OperationParent) -> bool:
        """Return whether a page of this parent is under way."""
        listing = self._by_parent.get(parent)
        return listing is not None and listing.is_asking

    def ended(self, event: ListEnded, now: float) -> list[Action]:
        """Act on a page, or on what came in its place."""
        listing = self._by_parent[event.parent]
        listing.is_asking = False
        answer = event.answer
        if isinstance(answer, Listed):
            return self._on_page(listing, answer, now)
        if is_never(answer):
            self._give_up(listing, now)
        elif _is_for_the_lane(answer):
            listing.next_at = now  # the lane says when
        else:
            self._release(listing, now)
            listing.rest(now)
        return []

    # ── one pass ────────────────────────────────────────────────────────────────────────────────────────

    def _parent(self, key: OperationKey) -> OperationParent:
        return OperationParent(key.provider, self._parent_of(key.name))

    def _is_in_use(self, listing: Listing, now: float) -> bool:
        """Return whether lists answer this parent's operations now; begins a pass to see whether they can."""
        if listing.is_asking or listing.next_at <= now + JOIN_S:
            return True
        if now < listing.rest_until or len(listing.members) < PROBE_FROM:
            return False
        listing.next_at = now
        return True

    def _ask(self, listing: Listing, now: float) -> CheckList | None:
        if not listing.pages:
            members = listing.members.items()
            listing.members = {name: watch for name, watch in members if not watch.is_over}
            self._alone = {key for key in self._alone if key in self._watches}
            listing.unseen = set(listing.members)
            listing.begun_at = now
        listing.next_at = math.inf
        if not listing.unseen and not listing.due:
            return None  # all have ended meanwhile
        listing.is_asking = True
        return CheckList(listing.parent, listing.token)

    def _on_page(self, listing: Listing, page: Listed, now: float) -> list[Action]:
        listing.pages += 1
        listing.unseen.difference_update(page.answers)
        members, due, watches = listing.members, listing.due, self._watches
        answered, actions, running = 0, list[Action](), list[Watch]()
        worth, may_pass, soon = 0.0, watches.has_all_tokens, now + PUT_OFF_PASSES * listing.gap
        for name, answer in page.answers.items():
            watch = members.get(name)
            if watch is None or watch.is_over:
                continue  # somebody else's, or over: nobody's news
            if may_pass and isinstance(answer, Running) and (spare := watch.worth_beyond(soon)):
                answered += 1  # seen in passing, as most are
                worth += spare
                continue
            if not isinstance(answer, _TELLING):
                self._ask_alone(listing, watch.key, now)
                continue
            answered += 1
            if name in due:
                watches.answered(due.pop(name))
            elif watch.key in watches.checking:
                listing.unseen.add(name)  # its own check is under way, and counts
                continue
            if isinstance(answer, Running):
                running.append(watch)
            else:
                watches.ran(watch, listing.shown_at(name))
                actions += watches.judge(watch, answer, now)
        actions += watches.seen_running(running, now)
        listing.worth += sum([watch.worth for watch in running], worth)
        listing.answered += answered
        listing.token = page.next_page_token
        if listing.token is not None and answered >= WORTH and self._is_more_wanted(listing):
            listing.next_at = now
        else:
            self._end_pass(listing, now)
        return actions

    def _is_more_wanted(self, listing: Listing) -> bool:
        """Return whether the next page is worth it: a few stragglers wait until one of them falls due."""
        usual = listing.answered / listing.pages
        return bool(listing.due) or len(listing.unseen) >= STRAGGLERS * usual

    def _end_pass(self, listing: Listing, now: float) -> None:
        for key in tuple(listing.due.values()):
            self._ask_alone(listing, key, now)
        self._catch_up(listing, listing.unseen)
        listing.passed()
        if listing.answered < WORTH * listing.pages:
            listing.rest(now)
        else:
            listing.works(now, self._shortest)
        listing.begin()

    def _ask_alone(self, listing: Listing, key: OperationKey, now: float) -> None:
        """Let an operation be asked for alone from now on: lists miss it, or tell half of it."""
        self._catch_up(listing, (key.name,))
        listing.members.pop(key.name, None)
        self._alone.add(key)
        if listing.due.pop(key.name, None) is not None:
            self._watches.answered(key)
        if key not in self._watches.checking:
            self._watches.check_again(key, now)

    def _catch_up(self, listing: Listing, names: Iterable[str]) -> None:
        """Let watches know when the last pass showed them, since no later one will tell."""
        for name in names:
            if (watch := listing.members.get(name)) is not None:
                self._watches.ran(watch, listing.shown_at(name))

    def _release(self, listing: Listing, now: float) -> None:
        """End a pass that failed: what waited for it is asked for alone this time."""
        for key in listing.due.values():
            self._watches.answered(key)
            self._watches.check_again(key, now)
        listing.due.clear()
        listing.begin()

    def _give_up(self, listing: Listing, now: float) -> None:
        self._release(listing, now)
        self._catch_up(listing, listing.members)
        self._useless.add(listing.parent)
        del self._by_parent[listing.parent]


def is_never(answer: Listed | Refused | Unreadable | NotSent | Lost) -> bool:
    """Return whether a list will not be had later either: there is none, or none that this key may read."""
    if has_no_lists(answer):
        return True
    if isinstance(answer, Refused):
        return answer.status == _FORBIDDEN or answer.status in NO_LISTS_STATUSES
    if isinstance(answer, Unreadable):
        return not answer.throttled and (answer.status == _FORBIDDEN or answer.status not in _FAILURES)
    return False


def _is_for_the_lane(answer: Refused | Unreadable | NotSent | Lost) -> bool:
    """Return whether an answer is about the quota, the key or the connection, and says nothing of lists."""
    return isinstance(answer, NotSent) or holds_for_all(answer)
