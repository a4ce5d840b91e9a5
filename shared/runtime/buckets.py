"""Token buckets in memory, and what HTTP says of them (IETF draft httpapi-ratelimit-headers)."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Generic, TypeVar

LONGEST_WINDOW_S = 86_400
"""A bucket that nobody took from for so long is full: it may be forgotten."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` tokens at the most, of which `per_s` come back every second. Raises ValueError for what takes days."""

    per_s: float
    burst: int

    def __post_init__(self) -> None:
        if self.per_s <= 0 or self.burst < 1 or self.window_s > LONGEST_WINDOW_S:
            raise ValueError(f"{self}: a bucket holds a token at least, and is full again within a day")

    @property
    def window_s(self) -> int:
        """The seconds in which an empty bucket fills, rounded up."""
        return self.full_in_s(0)

    def full_in_s(self, tokens: float) -> int:
        return ceil((self.burst - tokens) / self.per_s)

    def scaled(self, factor: float) -> "Rate | None":
        """None for no limit at all, which is factor 0."""
        return Rate(self.per_s * factor, max(1, round(self.burst * factor))) if factor else None

    def policy(self, name: str) -> str:
        return f'"{name}";q={self.burst};w={self.window_s}'


class Bucket:
    """Full at first. Times are of any clock that only goes forward, in seconds."""

    __slots__ = ("_at", "_rate", "tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._at = now
        self.tokens = float(rate.burst)

    def take(self, now: float) -> float:
        """Takes one token and gives 0, or else the seconds until there is one."""
        back = (now - self._at) * self._rate.per_s
        self.tokens, self._at = min(float(self._rate.burst), self.tokens + back), now
        if self.tokens < 1:
            return (1 - self.tokens) / self._rate.per_s
        self.tokens -= 1
        return 0.0


class Recent(Generic[Value]):
    """Values by name, each made when it is first asked for; beyond `most`, the one unused for longest goes."""

    def __init__(self, make: Callable[[], Value], most: int) -> None:
        self._make = make
        self._most = most
        self._kept: OrderedDict[str, Value] = OrderedDict()

    def __getitem__(self, name: str) -> Value:
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        if len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        made = self._kept[name] = self._make()
        return made

    def __len__(self) -> int:
        return len(self._kept)
