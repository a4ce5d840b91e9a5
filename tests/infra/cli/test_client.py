"""The client's patience, against a server that misbehaves in the ways that servers do."""

import asyncio
from collections.abc import Mapping

import pytest
from aiohttp import web

from infra.cli.client import NoToken, Refused, Shop, Unreachable, path, spread
from tests.infra.cli.conftest import Serve


class Script:
    """Answers in turn, the last one for ever; remembers what was asked."""

    def __init__(self, *answers: tuple[int, Mapping[str, object], Mapping[str, str]]) -> None:
        self._answers = list(answers)
        self.asked: list[web.Request] = []
        self.tokens = 0

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/dev/tokens":
            self.tokens += 1
            return web.json_response({"token": f"t{self.tokens}"})
        self.asked.append(request)
        status, body, headers = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return web.json_response(body, status=status, headers=headers)


async def test_busy_is_waited_for_and_the_key_stays_the_same(serve: Serve) -> None:
    script = Script((503, {}, {"retry-after": "0"}), (429, {}, {}), (201, {"id": 1}, {"etag": '"7"'}))
    said: list[str] = []

    async with Shop(await serve(script.answer), say=said.append) as shop:
        reply = await shop.call("POST", "/v1/orders", {"a": 1}, key="replay:1", wait_s=20)

    assert (reply.status, reply.body, reply.etag) == (201, {"id": 1}, '"7"')
    assert [request.headers["idempotency-key"] for request in script.asked] == ["replay:1"] * 3
    assert {request.headers["prefer"] for request in script.asked} == {"wait=20"}
    assert said[0].startswith("no token given: using the development issuer of http://")


async def test_the_first_call_with_the_key_still_running(serve: Serve) -> None:
    script = Script(
        (409, {"type": "urn:kn-shop:problem:still-running"}, {"retry-after": "0"}), (200, {"done": True}, {})
    )

    async with Shop(await serve(script.answer), token="given") as shop:
        assert (await shop.call("POST", "/v1/x", key="k")).body == {"done": True}

    assert script.tokens == 0


async def test_a_refusal_says_what_the_shop_says(serve: Serve) -> None:
    problem = {"type": "urn:kn-shop:problem:unknown-sku", "title": "Not on sale", "status": 422, "skus": ["X"]}

    async with Shop(await serve(Script((422, problem, {})).answer), token="t") as shop:
        with pytest.raises(Refused) as refused:
            await shop.get("/v1/x")

    assert str(refused.value) == 'Not on sale {"skus":["X"]}'
    assert refused.value.slug == "unknown-sku"


async def test_a_lasting_fault_of_the_shop_ends_as_a_refusal(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.client.LONGEST_PAUSE_S", 0.01)
    script = Script((500, {}, {}))

    async with Shop(await serve(script.answer), token="t") as shop:
        with pytest.raises(Refused):
            await shop.get("/v1/x")

    assert len(script.asked) == 6


async def test_an_expired_token_of_the_issuer_is_renewed(serve: Serve) -> None:
    script = Script((401, {}, {}), (200, {}, {}))

    async with Shop(await serve(script.answer)) as shop:
        await shop.get("/v1/x")

    assert [request.headers["authorization"] for request in script.asked] == ["Bearer t1", "Bearer t2"]


async def test_no_issuer(serve: Serve) -> None:
    async def missing(request: web.Request) -> web.Response:
        return web.json_response({}, status=404)

    async with Shop(await serve(missing)) as shop:
        with pytest.raises(NoToken):
            await shop.get("/v1/x")


async def test_nobody_answers(unused_tcp_port: int) -> None:
    async with Shop(f"http://127.0.0.1:{unused_tcp_port}", token="t") as shop:
        with pytest.raises(Unreachable, match="no shop answers at"):
            await shop.get("/v1/x")


async def test_something_else_answers(serve: Serve) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    async with Shop(await serve(page), token="t") as shop:
        with pytest.raises(Unreachable, match="is no shop"):
            await shop.get("/v1/x")


async def test_a_list_is_read_to_its_end(serve: Serve) -> None:
    async def pages(request: web.Request) -> web.Response:
        number = int(request.query.get("cursor", "0"))
        return web.json_response({"items": [{"n": number}], "next_cursor": str(number + 1) if number < 2 else None})

    async with Shop(await serve(pages), token="t") as shop:
        assert await shop.items("/v1/x") == [{"n": 0}, {"n": 1}, {"n": 2}]
        assert await shop.items("/v1/x", at_most=2) == [{"n": 0}, {"n": 1}]


def test_paths_keep_what_is_in_a_sku() -> None:
    assert path("v1", "stock", "BANK CHARGES") == "/v1/stock/BANK%20CHARGES"
    assert path("v1", "stock", "A/1") == "/v1/stock/A%2F1"


async def test_spread_keeps_to_its_concurrency_and_ends_at_the_first_fault() -> None:
    under_way = most = 0
    done: list[int] = []

    async def work(number: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        if number == 20:
            raise Unreachable("gone")
        done.append(number)

    with pytest.raises(Unreachable):
        await spread(range(100), work, 4)

    assert most == 4
    assert set(range(17)) <= set(done)
    assert len(done) < 30
