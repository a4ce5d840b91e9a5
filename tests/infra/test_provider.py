"""The mock payment provider, as a server of its own: cards, keys, books, and what a kill leaves behind."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.provider import Answer
from tests.provider import ProviderServer as Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("provider") / "books.sqlite")
    yield running
    assert running.stop() in (0, -signal.SIGTERM)


def outcome(answer: Answer) -> tuple[int, str, str | None]:
    return answer.status, answer.json["status"], answer.json["code"]


def test_approve_capture_and_refund_in_parts(server: Server) -> None:
    id = server.authorized(1000)

    assert outcome(server.capture(id, 600)) == (200, "captured", None)
    assert outcome(server.capture(id, 300)) == (200, "captured", None)
    assert outcome(server.void(id)) == (200, "voided", None)
    assert outcome(server.refund(id, 500)) == (200, "refunded", None)
    assert outcome(server.refund(id, 400)) == (200, "refunded", None)

    view = server.get(f"/v1/authorizations/{id}").json
    assert (view["authorized_minor"], view["captured_minor"], view["voided_minor"], view["refunded_minor"]) == (
        1000,
        900,
        100,
        900,
    )
    assert "token" not in view


def test_never_more_captured_than_authorised_nor_refunded_than_captured(server: Server) -> None:
    id = server.authorized(1000)

    assert outcome(server.capture(id, 1001)) == (200, "failed", "exceeds_authorized")
    assert outcome(server.refund(id, 1)) == (200, "failed", "exceeds_captured")
    server.capture(id, 1000)
    assert outcome(server.capture(id, 1)) == (200, "failed", "exceeds_authorized")
    assert outcome(server.refund(id, 1001)) == (200, "failed", "exceeds_captured")
    assert outcome(server.void(id)) == (200, "failed", "already_captured")


def test_a_void_in_part_and_then_whole_and_then_again(server: Server) -> None:
    id = server.authorized(1000)

    assert outcome(server.void(id, 400)) == (200, "voided", None)
    assert outcome(server.capture(id, 601)) == (200, "failed", "exceeds_authorized")
    assert outcome(server.void(id)) == (200, "voided", None)
    assert outcome(server.void(id)) == (200, "voided", None)
    assert outcome(server.capture(id, 1)) == (200, "failed", "voided")
    assert server.get(f"/v1/authorizations/{id}").json["status"] == "voided"


@pytest.mark.parametrize(
    ("token", "code"), [("tok_decline", "card_declined"), ("tok_insufficient_funds", "insufficient_funds")]
)
def test_a_refused_card_reserves_nothing(server: Server, token: str, code: str) -> None:
    answer = server.authorize(token)

    assert outcome(answer) == (201, "declined", code)
    assert outcome(server.capture(answer.json["id"], 1)) == (200, "failed", "not_authorized")


@pytest.mark.parametrize("token", ["tok_unheard_of", "tok_seq:approve,fly", "4242424242424242"])
def test_an_unknown_token_is_refused_and_remembered(server: Server, token: str) -> None:
    key = f"unknown-{token}"

    assert outcome(server.authorize(token, key=key, reference="u")) == (422, "declined", "unknown_token")
    assert outcome(server.authorize(token, key=key, reference="u")) == (422, "declined", "unknown_token")
    assert outcome(server.get(f"/v1/operations/{key}")) == (200, "declined", "unknown_token")


def test_timeout_after_charge_charges_and_never_answers(server: Server) -> None:
    with pytest.raises(TimeoutError):
        server.authorize("tok_timeout_after_charge", key="silent", reference="silent", timeout_s=0.5)

    known = server.get("/v1/operations/silent")
    assert outcome(known) == (200, "authorized", None)
    assert server.authorize("tok_timeout_after_charge", key="silent", reference="silent").raw == known.raw

    with pytest.raises(TimeoutError):
        server.capture(known.json["id"], 1000, key="silent-capture", timeout_s=0.5)
    assert outcome(server.get("/v1/operations/silent-capture")) == (200, "captured", None)
    assert outcome(server.refund(known.json["id"], 1000)) == (200, "refunded", None)


def test_error_after_charge_charges_and_answers_500(server: Server) -> None:
    assert server.authorize("tok_error_after_charge", key="broken", reference="broken").status == 500

    known = server.get("/v1/operations/broken")
    assert outcome(known) == (200, "authorized", None)
    assert server.capture(known.json["id"], 1000, key="broken-capture").status == 500
    assert outcome(server.get("/v1/operations/broken-capture")) == (200, "captured", None)


def test_capture_fails_can_still_be_voided(server: Server) -> None:
    id = server.authorized(token="tok_capture_fails")

    assert outcome(server.capture(id, 1000)) == (200, "failed", "capture_failed")
    assert outcome(server.void(id)) == (200, "voided", None)


def test_slow_answers_late(server: Server) -> None:
    started = time.monotonic()

    assert outcome(server.authorize("tok_slow")) == (201, "authorized", None)
    assert time.monotonic() - started >= 0.3


def test_a_sequence_plays_one_behaviour_per_operation(server: Server) -> None:
    token = "tok_seq:timeout,approve,capture_fails,error_after_charge,decline"

    with pytest.raises(TimeoutError):
        server.authorize(token, key="seq", reference="seq", timeout_s=0.5)
    assert server.get("/v1/operations/seq").status == 404

    authorized = server.authorize(token, key="seq", reference="seq")
    assert outcome(authorized) == (201, "authorized", None)
    id = authorized.json["id"]
    assert outcome(server.capture(id, 1000)) == (200, "failed", "capture_failed")
    assert server.capture(id, 1000).status == 500
    assert outcome(server.refund(id, 10)) == (200, "failed", "card_declined")
    assert outcome(server.refund(id, 10)) == (200, "refunded", None)


def test_a_sequence_is_counted_per_reference(server: Server) -> None:
    token = "tok_seq:decline,approve"

    first = [server.authorize(token, reference=reference).json["status"] for reference in ("left", "right")]
    second = [server.authorize(token, reference=reference).json["status"] for reference in ("left", "right")]

    assert (first, second) == (["declined", "declined"], ["authorized", "authorized"])


def test_the_same_key_is_answered_byte_for_byte_and_booked_once(server: Server) -> None:
    id = server.authorized(1000)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.capture(id, 100, key="once").raw, range(40)))

    assert len(set(answers)) == 1
    assert server.get(f"/v1/authorizations/{id}").json["captured_minor"] == 100


def test_the_same_key_with_another_body_is_422(server: Server) -> None:
    id, other = server.authorized(), server.authorized()
    server.capture(id, 100, key="taken")

    assert server.capture(id, 101, key="taken").status == 422
    assert server.capture(other, 100, key="taken").status == 422
    assert server.refund(id, 100, key="taken").status == 422
    assert server.authorize("tok_approve", key="taken").status == 422


def test_a_key_with_a_slash_is_found(server: Server) -> None:
    answer = server.authorize("tok_approve", key="order/1:authorize")

    assert server.get("/v1/operations/order/1:authorize").raw == answer.raw
    assert server.get("/v1/operations/order%2F1%3Aauthorize").raw == answer.raw
    assert server.get("/v1/operations/never-heard-of").status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        {"token": "tok_approve", "amount_minor": 1.5, "currency": "GBP", "reference": "r"},
        {"token": "tok_approve", "amount_minor": True, "currency": "GBP", "reference": "r"},
        {"token": "tok_approve", "amount_minor": 0, "currency": "GBP", "reference": "r"},
        {"token": "tok_approve", "amount_minor": 10**16, "currency": "GBP", "reference": "r"},
        {"token": "tok_approve", "amount_minor": 1, "currency": "pounds", "reference": "r"},
        {"token": "tok_approve", "amount_minor": 1, "currency": "GBP"},
        {"token": "x" * 256, "amount_minor": 1, "currency": "GBP", "reference": "r"},
    ],
)
def test_a_malformed_request_is_400(server: Server, body: object) -> None:
    assert server.post("/v1/authorizations", body).status == 400


def test_a_key_is_required_and_bounded(server: Server) -> None:
    body = {"token": "tok_approve", "amount_minor": 1, "currency": "GBP", "reference": "r"}

    assert server.call("POST", "/v1/authorizations", body).status == 400
    assert server.call("POST", "/v1/authorizations", body, key="k" * 256).status == 400


def test_what_is_not_there_is_404(server: Server) -> None:
    assert server.get("/v1/authorizations/auth_none").status == 404
    assert server.capture("auth_none", 1).status == 404
    assert server.get("/v1/elsewhere").status == 404


def test_the_books_add_up(server: Server) -> None:
    before = server.get("/v1/books").json
    id = server.authorize("tok_approve", 1000, reference="books").json["id"]
    server.authorize("tok_decline", 5000, reference="books")
    server.capture(id, 700)
    server.void(id)
    server.refund(id, 200)
    after = server.get("/v1/books").json

    assert {name: after[name] - before[name] for name in after} == {
        "authorized_minor": 1000,
        "captured_minor": 700,
        "voided_minor": 300,
        "refunded_minor": 200,
        "authorizations": 1,
    }
    items = server.get("/v1/authorizations?reference=books").json["items"]
    assert [item["status"] for item in items] == ["captured", "declined"]


def test_the_books_outlive_a_kill(server: Server) -> None:
    answers = {f"kill-{n}": server.authorize("tok_approve", key=f"kill-{n}", reference="kill").raw for n in range(50)}
    books = server.get("/v1/books").raw

    server.kill()
    server.start()

    assert {key: server.get(f"/v1/operations/{key}").raw for key in answers} == answers
    assert server.authorize("tok_approve", key="kill-7", reference="kill").raw == answers["kill-7"]
    assert server.get("/v1/books").raw == books
