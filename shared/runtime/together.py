"""What waits while a transaction is open is taken together into the next one: one commit for many events.

Nothing waits for company: what comes alone is taken alone and at once. So it costs no time where little is to do, and
where many want the same row, they queue here, instead of in Postgres, each for the commit of the one before.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.runtime import log
from shared.runtime.db import ASKED_FOR_TOO_MUCH, TRANSIENT

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class Waiting(Generic[ItemT, ResultT]):
    item: ItemT
    done: asyncio.Future[ResultT]


class Together(Generic[ItemT, ResultT]):
    """`apply` gives a result for each item, in their order. When it raises, each is applied alone.

    Items wait `gather_s` for others before they are taken, unless there are as many as can be taken.
    """

    def __init__(
        self,
        apply: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]],
        most: int,
        timeout_s: float,
        gather_s: float = 0.0,
    ) -> None:
        self._apply = apply
        self._most = most
        self._timeout_s = timeout_s
        self._gather_s = gather_s
        self._waiting: deque[Waiting[ItemT, ResultT]] = deque()
        self._taking: asyncio.Task[None] | None = None

    async def apply(self, item: ItemT) -> ResultT:
        """Raises what went wrong with this item, and nothing that went wrong with another."""
        done: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        waiting = Waiting(item, done)
        self._waiting.append(waiting)
        if self._taking is None:
            self._taking = asyncio.create_task(self._take_all())
        return await waiting.done

    async def _take_all(self) -> None:
        try:
            while self._waiting:
                if self._gather_s and len(self._waiting) < self._most:
                    await asyncio.sleep(self._gather_s)
                count = min(self._most, len(self._waiting))
                taken = [self._waiting.popleft() for _ in range(count)]
                await self._take([waiting for waiting in taken if not waiting.done.done()])  # some gave up
        finally:
            self._taking = None

    async def _take(self, taken: Sequence[Waiting[ItemT, ResultT]]) -> None:
        if not taken:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                results = await self._apply([waiting.item for waiting in taken])
        except Exception as error:  # noqa: BLE001 - it is raised where it belongs
            away = isinstance(error, TRANSIENT) and not isinstance(error, ASKED_FOR_TOO_MUCH)
            if away or len(taken) == 1:
                for waiting in taken:
                    _fail(waiting.done, error)
                return
            log.logger().warning("applied one by one", together=len(taken), error=type(error).__name__)
            for waiting in taken:
                await self._take([waiting])
            return
        for waiting, result in zip(taken, results, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(result)


def _fail(done: asyncio.Future[ResultT], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
