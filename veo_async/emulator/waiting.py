"""How long a job takes before it is done."""

import math
from random import Random

from attrs import field, frozen, validators


@frozen(kw_only=True)
class Waiting:
    """A distribution of waiting times: ``median · exp(sigma · gauss) ± half_width``.

    One formula serves all: both spreads zero is a fixed time, ``sigma`` alone a lognormal
    distribution, ``half_width`` alone a uniform one.
    """

    median: float = field(default=3.0, validator=validators.ge(0.0))
    """The middle of the waiting times, seconds."""
    sigma: float = field(default=0.0, validator=validators.ge(0.0))
    """Spread of the logarithm; 0.3 puts nine in ten between 0.6 and 1.6 times the median."""
    half_width: float = field(default=0.0, validator=validators.ge(0.0))
    """Even spread to either side of the median, seconds."""

    @classmethod
    def fixed(cls, seconds: float) -> "Waiting":
        """Each job takes this many seconds."""
        return cls(median=seconds)

    @classmethod
    def uniform(cls, low: float, high: float) -> "Waiting":
        """Evenly spread between two times in seconds."""
        return cls(median=(low + high) / 2, half_width=(high - low) / 2)

    @classmethod
    def lognormal(cls, median: float, sigma: float) -> "Waiting":
        """Lognormal, as the waiting times of real video services are, roughly."""
        return cls(median=median, sigma=sigma)

    @classmethod
    def of(cls, waiting: "Waiting | float") -> "Waiting":
        """Take a plain number as a fixed time in seconds."""
        return waiting if isinstance(waiting, Waiting) else cls.fixed(float(waiting))

    def draw(self, random: Random) -> float:
        """One waiting time in seconds, never negative."""
        scale = math.exp(self.sigma * random.gauss(0.0, 1.0))
        shift = self.half_width * random.uniform(-1.0, 1.0)
        return max(0.0, self.median * scale + shift)
