"""A small sale of what `make sell-out` does with 10,000 buyers."""

import pytest

from tests.faults.sell_out import DOOMED, sell_out
from tests.processes import running_shop


@pytest.mark.xdist_group("sell-out")
async def test_a_sale_sells_exactly_what_there_is_though_processes_are_killed() -> None:
    with running_shop(WORKERS="2") as shop:
        report = await sell_out(shop, buyers=300, units=20, seed=3, events_between_kills=100)

    assert report.sold_out_exactly(), "\n".join(report.lines())
    assert sum(report.kills.values()) > len(DOOMED)
