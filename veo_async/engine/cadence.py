"""When a check of an operation is worth most, by what was seen of operations of its kind.

Pure: ages in, gaps out. `waiting_times` has what was seen, `curve` what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from veo_async.engine.curve import Curve, curve_of
from veo_async.engine.events import Profile
from veo_async.engine.waiting_times import Learned, Seen
from veo_async.models import Eta
from veo_async.options import PollPolicy

__all__ = ["Cadence", "Course"]

FIRST_LOOKS_S = 10.0
"""Until a few waiting times are known, no gap is longer than what published polling loops sleep."""
KNOWN_AFTER = 5.0
"""Operations seen to end, by decayed weight, after which the curve is trusted by itself."""
END_BINS = 20
"""An end is as much news as so many bins that were left."""
REDRAW_SHARE, REMEMBERED = 0.1, 10_000.0
"""Share of news after which the curve is drawn anew, and of how much at most: in bins that operations were
seen to leave, a hundred or so each. Drawing it costs a millisecond."""


class Course:
    """When operations of one profile are checked, and what was learned of them."""

    __slots__ = ("_curve", "_known", "_news", "_policy", "_seen")

    def __init__(self, policy: PollPolicy) -> None:
        self._policy = policy
        self._seen = Seen()
        self._curve: Curve | None = None
        self._known = 0.0
        self._news = 0

    def next_gap(self, age: float) -> float:
        """Return the seconds until the next check of an operation that is `age` seconds old."""
        gap, policy = self.curve.gap(age), self._policy
        if self._seen.total < KNOWN_AFTER:
            # Less than half a second is all one to the curve: an emulator that is expected to be quicker is.
            gap = min(FIRST_LOOKS_S, gap, max(policy.expected, age))
        return min(policy.max_interval, max(policy.min_interval, gap))

    def running(self, since: float, age: float) -> None:
        """Take into account that an operation ran from the age `since` to `age`."""
        bins = self._seen.running(since, age)
        if bins:
            self._note(bins)

    def ended(self, since: float, age: float) -> None:
        """Take into account that an operation ran at the age `since`, and at `age` no more."""
        self._seen.ended(since, age, self.curve.hazard)
        self._note(END_BINS)

    def undetected(self, running_at: float, since: float, age: float) -> float:
        """Return the expected seconds from `since` to `age` in which an operation was over, not yet seen."""
        return self.curve.undetected(running_at, since, age)

    def eta(self, running_at: float, age: float) -> Eta:
        """Return when an operation that ran at one age is likely to end, in seconds from another."""
        p50, p90 = (max(0.0, self.curve.quantile(running_at, share) - age) for share in (0.5, 0.9))
        return Eta(p50=p50, p90=p90)

    @property
    def median(self) -> float:
        """Median waiting time in seconds."""
        return self.curve.quantile(0.0, 0.5)

    @property
    def ends(self) -> float:
        """Operations that were seen to end, by decayed weight."""
        return self._seen.total

    @property
    def curve(self) -> Curve:
        """The curve that holds now."""
        if self._curve is None:
            self._curve = curve_of(self._seen, self._policy)
        return self._curve

    def learned(self, profile: Profile) -> Learned:
        """Return what is to be kept for the next process."""
        return self._seen.learned(profile)

    def restore(self, learned: Learned) -> None:
        """Take over what an earlier process learned."""
        self._seen.restore(learned.ends, learned.bins)
        self._known, self._curve = REMEMBERED, None

    def _note(self, bins: int) -> None:
        self._known += bins * (1 - self._known / REMEMBERED)
        self._news += bins
        if self._news >= REDRAW_SHARE * self._known:
            self._curve, self._news = None, 0


class Cadence:
    """The courses of all profiles."""

    def __init__(self, policy: PollPolicy) -> None:
        self._policy = policy
        self._courses: dict[Profile, Course] = {}

    def course(self, profile: Profile) -> Course:
        """Return what is known of a profile; one object a profile."""
        course = self._courses.get(profile)
        if course is None:
            course = self._courses[profile] = Course(self._policy)
        return course

    @property
    def courses(self) -> Mapping[Profile, Course]:
        """What is known, by profile; to be read only."""
        return self._courses

    def learned(self) -> Sequence[Learned]:
        """Return what was learned of each profile of which anything was."""
        kept = (course.learned(profile) for profile, course in self._courses.items())
        return tuple(learned for learned in kept if learned.bins)

    def restore(self, learned: Iterable[Learned]) -> None:
        """Take over what an earlier process learned, for profiles of which nothing was seen since."""
        for known in learned:
            if known.profile not in self._courses:
                self.course(known.profile).restore(known)
