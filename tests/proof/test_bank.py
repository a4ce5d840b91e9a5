"""What is asked of the provider, by whom it may have been heard of before."""

from dataclasses import replace
from uuid import UUID

import pytest

from shared.payments.provider import Attempt, perform
from shared.runtime.egress import Egress
from shared.runtime.settings import Settings
from tests.proof.bank import ADDRESS, Bank
from tests.proof.chance import Clock, Identifiers


@pytest.mark.parametrize("heard_of", [True, False])
async def test_what_the_provider_may_have_heard_of_is_asked_for_and_not_sent_again(heard_of: bool) -> None:
    clock = Clock()
    bank = Bank(clock, Identifiers(1, clock))
    egress = Egress(Settings(provider_url=ADDRESS))
    egress._for_this_loop()
    egress._session = bank  # type: ignore[assignment]
    attempt = Attempt(
        "key", UUID(int=1), "authorize", 100, currency="GBP", payment_token="tok_error_after_charge", heard_of=heard_of
    )

    unheard = await perform(attempt, egress)
    again = await perform(replace(attempt, heard_of=True), egress)
    await egress.close()

    asked = ["GET /v1/operations/key"]
    assert bank.called == [*(asked if heard_of else []), "POST /v1/authorizations", *asked]
    assert (unheard.result, again.result) == ("unknown", "succeeded")
