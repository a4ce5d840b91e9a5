"""Breaks the guards of orders, payments and stock on purpose, one at a time, and sees which tests catch it.

`make break-guards`. Each guard is a piece of text that is taken away or turned round in a copy of the checkout; the
tests named beside it must then fail. One that escapes is a guard that no test holds. `ARGS="--only NAME"` tries one.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parents[2]
TIMEOUT_S = 240


class Guard(NamedTuple):
    """`now` takes the place of `was`, which stands in `file` exactly once; then one of `tests` must fail."""

    name: str
    file: str
    was: str
    now: str
    tests: str


_ORDERS, _PAYMENTS, _STOCK = "tests/functions/orders/", "tests/functions/payments/", "tests/functions/inventory/"

GUARDS = (
    Guard(
        "who moves a saga has locked it",
        "shared/orders/progress.py",
        'LOCK_WITH_ORDER = text(f"{_STANDINGS} for update of s, o")',
        "LOCK_WITH_ORDER = text(_STANDINGS)",
        f"{_ORDERS}test_races.py",
    ),
    Guard(
        "a saga takes only the answer that it waits for",
        "shared/orders/progress.py",
        "return event.command_key == key_of(at, asked)",
        "return True",
        f"{_ORDERS}test_pay_order.py {_ORDERS}test_advance_order.py",
    ),
    Guard(
        "a card that came after the money is no refusal",
        "shared/payments/settling.py",
        'there = attempt.operation == "authorize" and attempt.code == "already_authorized"',
        "there = False",
        f"{_PAYMENTS}test_another_card.py",
    ),
    Guard(
        "an early answer is kept",
        "shared/orders/progress.py",
        "early=[*at.early, kept]",
        "early=at.early",
        f"{_ORDERS}test_advance_order.py",
    ),
    Guard(
        "the runs by seed know of money that came too late",
        "shared/orders/saga.py",
        'CANCELLING_AUTHORIZATION, VOIDING,                  ask=VoidPayment, payment="authorized"',
        'CANCELLING_AUTHORIZATION, RELEASING,                ask=ReleaseHold, payment="authorized"',
        "tests/proof/test_prove.py",
    ),
    Guard(
        "who does not wait for another card is refused",
        "shared/orders/progress.py",
        '"waits": lambda at: at.on_decline == "wait",',
        '"waits": lambda at: bool(at.on_decline),',
        f"{_ORDERS}test_order_model.py",
    ),
    Guard(
        "money that came while it was cancelled is given back",
        "shared/orders/saga.py",
        'CANCELLING_AUTHORIZATION, VOIDING,                  ask=VoidPayment, payment="authorized"',
        'CANCELLING_AUTHORIZATION, RELEASING,                ask=ReleaseHold, payment="authorized"',
        f"{_ORDERS}test_advance_order.py tests/shared/orders",
    ),
    Guard(
        "only its owner and staff see an order",
        "shared/orders/views.py",
        "own = row is not None and row.customer_id is not None and row.customer_id == work.caller.subject",
        "own = row is not None",
        f"{_ORDERS}test_place_order.py",
    ),
    Guard(
        "what has left or came back is not cancelled",
        "shared/orders/customers_word.py",
        "if gone or not locked",
        "if not locked",
        f"{_ORDERS}test_cancel_order.py {_ORDERS}test_races.py",
    ),
    Guard(
        "only an order that waits is paid again",
        "shared/orders/customers_word.py",
        'if at.status != "awaiting_customer":',
        "if False:",
        f"{_ORDERS}test_pay_order.py",
    ),
    Guard(
        "an operator steers what was seen",
        "shared/orders/steering.py",
        "if at.state is not request.state:",
        "if False:",
        f"{_ORDERS}test_steering.py",
    ),
    Guard(
        "a refund that failed is taken off once",
        "shared/orders/steps.py",
        "return step.state is ASKED and key in (None, step.key)",
        "return key in (None, step.key)",
        f"{_ORDERS}test_refunds.py",
    ),
    Guard(
        "no more is paid back than was captured",
        "shared/orders/refunding.py",
        "if not 0 < amount_minor <= order.refundable_minor:",
        "if False:",
        f"{_ORDERS}test_refunds.py",
    ),
    Guard(
        "nothing leaves while it is under review",
        "shared/orders/asking.py",
        "if order.review is not None:",
        "if False:",
        f"{_ORDERS}test_fulfilment.py",
    ),
    Guard(
        "a discount is not used more often than it may be",
        "shared/orders/discount_uses.py",
        "and enabled and (most_uses is null or uses < most_uses)",
        "and enabled",
        f"{_ORDERS}test_discounts.py",
    ),
    Guard(
        "the same goods come back once",
        "functions/orders/return_goods.py",
        "limit 100\nfor update of o, l",
        "limit 100",
        f"{_ORDERS}test_races.py {_ORDERS}test_return_goods.py",
    ),
    Guard(
        "an attempt is settled once",
        "shared/payments/settling.py",
        "from told t where a.key = t.key and a.finished_at is null",
        "from told t where a.key = t.key",
        " ".join(
            f"{_PAYMENTS}{name}"
            for name in ("test_capture_payment.py", "test_resolve_unknown_payments.py", "test_refund_payment.py")
        ),
    ),
    Guard(
        "one attempt of an order at a time",
        "shared/payments/attempts.py",
        'if unfinished:\n        return None, [replace(wanted, state="waiting")]',
        'if False:\n        return None, [replace(wanted, state="waiting")]',
        " ".join(
            f"{_PAYMENTS}{name}"
            for name in ("test_capture_payment.py", "test_resolve_unknown_payments.py", "test_customer_action.py")
        ),
    ),
    Guard(
        "payments are locked before they are read",
        "shared/payments/attempts.py",
        "order by order_id for update\n",
        "order by order_id\n",
        " ".join(
            f"{_PAYMENTS}{name}"
            for name in ("test_refund_payment.py", "test_capture_payment.py", "test_authorize_payment.py")
        ),
    ),
    Guard(
        "no more is captured than is left",
        "shared/payments/terms.py",
        'return Terms(amount, None if amount <= now.left else "exceeds_authorized", now.id)\n\n\ndef _void',
        "return Terms(amount, None, now.id)\n\n\ndef _void",
        f"{_PAYMENTS}test_capture_payment.py",
    ),
    Guard(
        "one refund has one payment, whatever its key",
        "shared/payments/attempts.py",
        'return wanted.refund_id is not None and known.refund_id == wanted.refund_id and known.state != "failed"',
        "return False",
        f"{_PAYMENTS}test_refund_payment.py",
    ),
    Guard(
        "what may have been heard of is asked for first",
        "shared/payments/provider.py",
        "if attempt.heard_of:",
        "if False:",
        "tests/proof/test_bank.py",
    ),
    Guard(
        "a webhook has one effect",
        "shared/payments/provider_events.py",
        "if not new:",
        "if False:",
        f"{_PAYMENTS}test_receive_provider_event.py",
    ),
    Guard(
        "a webhook is signed by the provider",
        "shared/runtime/webhooks.py",
        "if sum(hmac.compare_digest(*pair) for pair in pairs) == 0:",
        "if False:",
        f"{_PAYMENTS}test_receive_provider_event.py",
    ),
    Guard(
        "a hold is locked before its lines are read",
        "shared/inventory/holds.py",
        'where order_id = :order_id for update")',
        'where order_id = :order_id")',
        f"{_STOCK}test_concurrent_holds.py {_STOCK}test_concurrent_moves.py",
    ),
    Guard(
        "a hold that is over is not committed",
        "functions/inventory/commit_hold.py",
        "hold.expires_at > work.now",
        "True",
        f"{_STOCK}test_holds.py {_STOCK}test_holds_together.py",
    ),
    Guard(
        "stock is locked before it is promised",
        "shared/inventory/opening.py",
        "  order by sku, location\n  for update\n",
        "  order by sku, location\n",
        f"{_STOCK}test_concurrent_holds.py {_STOCK}test_holds_together.py",
    ),
    Guard(
        "the database refuses what is oversold",
        "infra/postgres/migrations/0022_inventory_complete.sql",
        "check (shortfall = greatest(0, held + committed - on_hand - backorder_limit));",
        "check (shortfall >= 0);",
        f"{_STOCK}test_promises.py",
    ),
    Guard(
        "only what is held expires",
        "shared/inventory/holds.py",
        "where status = 'HELD' and expires_at <= :now",
        "where expires_at <= :now",
        f"{_STOCK}test_holds.py",
    ),
    Guard(
        "an event has one effect",
        "shared/runtime/serve.py",
        "new.append(occurrence in claimed)",
        "new.append(True)",
        "tests/shared/runtime/test_together.py",
    ),
    Guard(
        "an idempotency key has one answer",
        "shared/runtime/serve.py",
        """            if keyed and (earlier := await keyed.earlier_answer(work.claimed)):
                return earlier
            result =""",
        """            result =""",
        f"{_ORDERS}test_place_order.py {_ORDERS}test_return_goods.py",
    ),
)


def copied(to: Path) -> None:
    """The checkout as it stands, with what is not committed yet; its packages are shared."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        if (CHECKOUT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, to / name)
    (to / ".venv").symlink_to(CHECKOUT / ".venv")


def caught(guard: Guard, tree: Path) -> tuple[bool, str]:
    """Whether a test fails without the guard, and which. Raises ValueError where the guard is not there."""
    path = tree / guard.file
    before = path.read_text()
    if before.count(guard.was) != 1:
        raise ValueError(f"{guard.name}: {guard.file} holds it {before.count(guard.was)} times")
    path.write_text(before.replace(guard.was, guard.now))
    try:
        run = tested(guard.tests.split(), tree)
    except subprocess.TimeoutExpired:
        return False, "its tests do not end"
    finally:
        path.write_text(before)
    failed = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
    if run.returncode == 1 and failed:
        by = failed[0].split(" - ")[0].removeprefix("FAILED ")
        if tested([by], tree).returncode:
            raise ValueError(f"{by} fails with all guards in place")
        return True, by.rpartition("/")[2]
    if run.returncode == 0:
        return False, ""
    raise ValueError(f"{guard.name}: the tests did not run\n{run.stdout[-2000:]}{run.stderr[-2000:]}")


def tested(tests: Sequence[str], tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not nightly and not tools"]
    return subprocess.run(
        [*command, *tests],
        cwd=tree,
        env=os.environ | {"KN_SHOP_HOME": str(tree / ".home"), "LOG_LEVEL": "critical"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make break-guards")
    parser.add_argument("--only", default="", help="guards whose name holds this")
    asked = parser.parse_args(arguments)
    escaped = 0
    with tempfile.TemporaryDirectory(prefix="guards-") as directory:
        tree = Path(directory)
        tree.chmod(0o755)  # the tests' Postgres may have to run as somebody else
        copied(tree)
        guards = [guard for guard in GUARDS if asked.only in guard.name]
        for guard in guards:
            began = time.monotonic()
            is_caught, by = caught(guard, tree)
            escaped += not is_caught
            verdict = f"caught by {by}" if is_caught else f"ESCAPED {by}"
            print(f"{guard.name:60} {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{escaped} escaped")
    return int(escaped > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
