"""Rate limits of one function over all its instances: a token bucket per principal in Postgres, leased in blocks.

A lease is taken out of the shared bucket before it is spent, so all instances together never let through more than the
bucket holds. What is not spent within a second is lost.
"""

import asyncio
from dataclasses import dataclass, field
from math import ceil
from time import monotonic

from sqlalchemy import text

from shared.runtime import log
from shared.runtime.buckets import Bucket, Rate, Recent
from shared.runtime.db import TRANSIENT, Database
from shared.runtime.pipeline import Row

POLICY = "default"
LEASE_S = 1.0
LOOK_AGAIN_S = 0.05
"""Somebody who is refused is not looked up more often than this, however fast tokens come back."""
PATIENCE_S = 1.0
"""So long a caller waits for the database because of a limit; and so long it is then left alone."""
PRINCIPALS = 4096

# Read once, before the row is locked: whoever had to wait for it counts from the later of both times, so none twice.
TAKE = text("""
insert into platform.rate_limits as held (function, principal, tokens, taken, at)
values (:function, :principal, cast(:burst as float8) - :block, :block, clock_timestamp())
on conflict (function, principal) do update set (tokens, taken, at) = (
  select available - lease.taken, lease.taken, greatest(held.at, excluded.at)
  from (
    select least(:burst, held.tokens
      + cast(:per_s as float8) * greatest(0, extract(epoch from excluded.at - held.at))) as available
  ) as filled
  cross join lateral (select least(:block, floor(available)) as taken) as lease
)
returning tokens, taken
""")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wait_s` is 0 for a request that may go on, else the whole seconds after which it is worth asking again."""

    headers: dict[str, str]
    wait_s: int


@dataclass(slots=True)
class Lease:
    """What this instance holds of one principal's bucket. `left` is what the bucket held after the last look."""

    tokens: int = 0
    until: float = 0.0
    left: float = 0.0
    due: float = 0.0
    block: int = 1
    looked_at: float = float("-inf")
    alone: Bucket | None = None
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def decides(self, now: float) -> bool:
        """Whether the next request can be answered from here: there is a token, or it is known that none is due."""
        return now < (self.until if self.tokens else self.due)


class Limiter:
    """The limit of one function in one process."""

    def __init__(self, database: Database, role: str, rate: Rate) -> None:
        self._database = database
        self._role = role
        self._rate = rate
        self._policy = rate.policy(POLICY)
        # No more than comes back while the lease lasts: what is lost with it never exceeds what is gained.
        self._most = max(1, min(rate.burst // 10, int(rate.per_s * LEASE_S)))
        self._leases: Recent[Lease] = Recent(Lease, PRINCIPALS)
        self._away_until = 0.0

    async def take(self, principal: str) -> Verdict:
        """Takes one token. Never raises because the database is away: then each instance keeps the limit by itself."""
        lease = self._leases[principal]
        if not lease.decides(monotonic()):
            async with lease.looking:  # one asks for all that come at the same time
                if not lease.decides(now := monotonic()):
                    await self._look(lease, principal, now)
        wait_s = 0
        if lease.tokens:
            lease.tokens -= 1
        else:
            wait_s = max(1, ceil(lease.due - monotonic()))
        left = int(lease.left) + lease.tokens
        reset_s = wait_s or self._rate.full_in_s(left)
        said = {"ratelimit-policy": self._policy, "ratelimit": f'"{POLICY}";r={left};t={reset_s}'}
        return Verdict(said, wait_s)

    async def _look(self, lease: Lease, principal: str, now: float) -> None:
        """Leases twice as much as last time for somebody who is back before a lease would have ended, else one token.

        So little is lost of those who come rarely, or to another instance each time.
        """
        busy = now - lease.looked_at < LEASE_S
        lease.block, lease.looked_at = min(lease.block * 2, self._most) if busy else 1, now
        if now >= self._away_until and (row := await self._leased(principal, lease.block)):
            lease.alone, lease.tokens, lease.left = None, row.taken, row.tokens
        else:
            lease.alone = lease.alone or Bucket(self._rate, now)
            refused = lease.alone.take(now)
            lease.tokens, lease.left = 0 if refused else 1, lease.alone.tokens
        now, wait_s = monotonic(), (1 - lease.left) / self._rate.per_s
        lease.until, lease.due = now + LEASE_S, now + (wait_s if lease.tokens else max(wait_s, LOOK_AGAIN_S))

    async def _leased(self, principal: str, block: int) -> Row | None:
        """None when the database is away, which is then left alone for a while."""
        rate, role = self._rate, self._role
        try:
            # A round trip of its own is a transaction of its own, whether it reads or writes.
            async with asyncio.timeout(PATIENCE_S), self._database.reading(role) as db:
                return await db.one(
                    TAKE, function=role, principal=principal, burst=rate.burst, per_s=rate.per_s, block=block
                )
        except TRANSIENT:
            log.logger().warning("each instance keeps the rate limit by itself", exc_info=True)
            self._away_until = monotonic() + PATIENCE_S
            return None
