"""One run: what happens to the shop step by step, each step by a seed of its own, until everything has come to rest.

A step looks at nothing but the shop and its own numbers: so a run can be replayed without some of its steps, to find
the few that break it.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from hashlib import sha256
from typing import Any

from shared.runtime.answers import Answer
from shared.runtime.db import Database
from shared.runtime.serve import Runtime
from tests.conftest import Books
from tests.issuer import Issuer
from tests.proof.bank import Bank
from tests.proof.chance import Clock
from tests.proof.ground import Fragile, Ground, Moment
from tests.proof.shop import Delivery, Shop

TIMERS = (
    "drive_sagas",
    "drive_steps",
    "expire_holds",
    "resolve_unknown_payments",
    "compare_payments",
    "rank_best_sellers",
    "send_alerts",
    "publish_due_products",
)

OPEN = """
select exists (select from orders.sagas where deadline is not null)
  or exists (select from orders.steps where deadline is not null)
  or exists (select from payments.attempts where finished_at is null)
  or exists (select from payments.provider_events where state = 'early') as anything
"""

# What an end looks like, in no order that a name or a number could change.
ENDS = """
select o.status, s.state, s.ending, s.reason, s.payment, s.moves, o.total_minor, o.refunded_minor, h.status as hold,
  p.authorized_minor, p.captured_minor, p.voided_minor, p.refunded_minor as paid_back, p.disputed_minor, p.lost_minor,
  o.fulfilment, o.discount_minor, o.tax_minor, o.captured_minor as by_shipments
from orders.orders o join orders.sagas s on s.order_id = o.id
left join inventory.holds h on h.order_id = o.id left join payments.payments p on p.order_id = o.id
order by o.created_at, o.id
"""
STOCK = """
select sku, location, on_hand, held, committed, shortfall, version from inventory.stock order by sku, location
"""

MOST_ROUNDS = 400
"""So often the shop may need somebody to go on with it until it rests; no run that is right needs half of it."""


class Broken(Exception):
    """What must hold does not."""


class Simulation(Shop):
    """A shop, and all that a run knows of it. `said` is what has happened, a line for each thing."""

    def __init__(
        self,
        runtime: Runtime,
        issuer: Issuer,
        db: Books,
        ground: Ground,
        clock: Clock,
        bank: Bank,
        database: Fragile,
        orders_side: Database,
    ) -> None:
        super().__init__(runtime, issuer, db)
        self.ground, self.clock, self.bank, self.database = ground, clock, bank, database
        self.orders_side = orders_side
        self.said: list[str] = []
        self.tell: Callable[[str], None] | None = None
        self.delivered: list[Delivery] = []
        self.asked: dict[str, Asked] = {}
        self.orders: list[str] = []
        self._names: dict[str, str] = {}

    def note(self, line: str) -> None:
        for id, name in self._names.items():
            line = line.replace(id, name)
        self.said.append(line)
        if self.tell is not None:
            self.tell(line)

    def digest(self) -> str:
        return sha256("\n".join(self.said).encode()).hexdigest()[:16]

    def order_of(self, answer: Answer) -> str:
        id = str(json.loads(answer.body)["id"])
        if id not in self._names:
            self._names[id] = f"order-{len(self._names) + 1}"
            self.orders.append(id)
        return id

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.ground.tell_time()

    def expect(self, what: str, answer: Answer, *, statuses: Collection[int] = ()) -> Answer:
        """A crash has no answer but 503; nothing else has that one. Raises Broken."""
        crashed = self.database.crashed
        fine = answer.status == 503 if crashed else answer.status in statuses or (not statuses and answer.status < 500)
        problem = f" {json.loads(answer.body)['type'].rpartition(':')[2]}" if 400 <= answer.status < 500 else ""
        self.note(f"  {what}: {answer.status}{problem}{' (crashed)' if crashed else ''}")
        if not fine:
            raise Broken(f"{what} answered {answer.status}: {answer.body.decode()[:500]}")
        return answer

    async def hear(self) -> None:
        """Lays down what was said, and notes it."""
        for row in await self.look():
            self.note(f"  said {row.type.removeprefix('shop.').removesuffix('.v1')} of {row.key}")

    async def request(
        self, chance: random.Random, name: str, path: str, body: Any = None, role: str = "admin", subject: str = "ann"
    ) -> Answer:
        """Asks once, under a key by which it may be asked again."""
        key = f"key-{len(self.asked) + 1}"
        asked = self.asked[key] = Asked(name, path, body, role, subject, key)
        self.maybe_crash(chance)
        return await self.repeat(asked)

    async def repeat(self, asked: "Asked") -> Answer:
        """Asks under the key that it was asked under before. Raises Broken if it hears something else this time."""
        answer = await self.answer(asked.name, asked.path, asked.body, asked.role, asked.subject, asked.key)
        self.expect(f"{asked.name} {asked.path} {json.dumps(asked.body)} {asked.key}", answer)
        self.database.spare()
        if answer.status < 300:
            remembered = self.endpoints[asked.name].trigger.idempotent
            if remembered and asked.heard is not None and asked.heard != answer.body:
                raise Broken(f"{asked.key} was answered {asked.heard!r}, and now {answer.body!r}")
            asked.heard = answer.body
            if asked.name == "place_order":
                self.order_of(answer)
        asked.open = answer.status >= 500
        return answer

    def maybe_crash(self, chance: random.Random) -> None:
        if chance.random() < 0.08:
            moment: Moment = "before commit" if chance.random() < 0.5 else "after commit"
            self.database.plan(chance.randint(1, 3), moment)

    async def hand_over(self, deliveries: Sequence[Delivery], chance: random.Random | None = None) -> None:
        """All of one function: it may take them together. Whoever gets no answer sends again."""
        if chance is not None:
            self.maybe_crash(chance)
        together = self.endpoints[deliveries[0][0]].trigger.together is not None
        if together:
            answers = await asyncio.gather(*(self.deliver(*delivery) for delivery in deliveries))
        else:  # at once they would be decided by who is faster: other tests look at that
            answers = [await self.deliver(*delivery) for delivery in deliveries]
        for delivery, answer in zip(deliveries, answers, strict=True):
            consumer, row = delivery
            what = f"{consumer} takes {row.type.removeprefix('shop.').removesuffix('.v1')} of {row.key}"
            crashed = self.database.crashed
            if answer.status not in ((204, 503) if crashed else (204,)):
                raise Broken(f"{what}, and answers {answer.status}: {answer.body.decode()[:500]}")
            self.note(f"  {what}: {answer.status}{' (crashed)' if answer.status == 503 else ''}")
            if answer.status == 503:
                self.waiting.append(delivery)
            else:
                self.delivered.append(delivery)
        self.database.spare()

    async def run_timer(self, name: str, chance: random.Random | None = None) -> None:
        if chance is not None:
            self.maybe_crash(chance)
        self.expect(name, await self.tick(name), statuses=(204,))
        self.database.spare()

    async def post_letters(self, chance: random.Random | None = None) -> None:
        """What the provider tells by itself; without an answer it tells it again, and sometimes with one, too."""
        for told in self.bank.told():
            if chance is not None:
                self.maybe_crash(chance)
            headers, body = self.bank.letter(told, time.time())
            target = self.endpoints["receive_provider_event"]
            answer = await target.handle("POST", "/v1/provider-webhooks", b"", headers, body)
            self.expect(f"letter {told.type} {json.loads(told.data).get('key', '')}", answer, statuses=(204,))
            self.database.spare()
            taken = answer.status == 204 and (chance is None or chance.random() < 0.8)
            self.bank.books.sent(told.number, None if taken else self.clock.seconds() + 5)

    # What a run comes to

    async def come_to_rest(self, chance: random.Random) -> None:
        """Everybody does what is theirs, for as long as anybody waits. Raises Broken if that does not end."""
        self.bank.away = False
        for asked in list(self.asked.values()):
            if asked.open:
                await self.repeat(asked)
        for _ in range(MOST_ROUNDS):
            await self.hear()
            while self.waiting:
                consumer = chance.choice(sorted({consumer for consumer, _ in self.waiting}))
                mine = [delivery for delivery in self.waiting if delivery[0] == consumer][:16]
                self.waiting = [delivery for delivery in self.waiting if delivery not in mine]
                await self.hand_over(mine)
                await self.hear()
            await self.post_letters()
            for timer in TIMERS:
                await self.run_timer(timer)
            await self.hear()
            if not self.waiting and not self.bank.told():
                if not await self.db.value(OPEN) and not self._bank_will_tell():
                    return
                self.advance(chance.choice((2, 10, 40, 200)))
        raise Broken("the shop does not come to rest")

    def _bank_will_tell(self) -> bool:
        waiting = "select 1 from told where next_at is not null union all select 1 from actions where state = 'pending'"
        return bool(self.bank.all(waiting))

    async def judge(self) -> None:
        """All that must hold of a shop at rest. Raises Broken."""
        faults: list[Any] = [{check["name"]: check["examples"][:3]} for check in await self.broken_invariants()]
        (unread,) = await self.db.all("select count(*) from platform.dead_letters")
        if unread[0]:
            faults.append(f"{unread[0]} dead letters")
        faults += await self.catalogue_differences()
        faults += await self.figures_differences()
        for books in ("ours", "theirs"):
            compared = await self.ask(
                "reconcile_payments", "/v1/admin/payment-reconciliation", {"books": books}, "operator"
            )
            faults += compared["differences"]
        compared = await self.ask("reconcile_stock", "/v1/admin/stock-reconciliation", {}, "operator")
        faults += compared["differences"]
        placed = await self.db.value("select count(*) from orders.orders")
        heard = sum(asked.name == "place_order" and asked.heard is not None for asked in self.asked.values())
        if placed != heard:
            faults.append(f"{heard} orders were acknowledged, and there are {placed}")
        if faults:
            raise Broken(json.dumps(faults, default=str))
        for row in (*await self.db.all(ENDS), *await self.db.all(STOCK)):
            self.note(" ".join(str(value) for value in row))


class Asked:
    """A request as it was made, and what was heard."""

    def __init__(self, name: str, path: str, body: Any, role: str, subject: str, key: str) -> None:
        self.name, self.path, self.body, self.role, self.subject, self.key = name, path, body, role, subject, key
        self.heard: bytes | None = None
        self.open = True


Step = Callable[[Simulation, random.Random], Awaitable[None]]
