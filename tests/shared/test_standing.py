"""What readiness over time says of a function."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.platform.standing import Standing, first, judged

START = datetime(2026, 3, 1, tzinfo=UTC)


def watched(looks: str, every_s: int = 15) -> tuple[list[str], Standing]:
    """The status at each look: `+` found it ready, `-` did not. The first is that of a new function."""
    standing = first(looks[0] == "+", START)
    told: list[str] = [standing.status]
    for n, look in enumerate(looks[1:], start=1):
        standing = judged(standing, look == "+", START + timedelta(seconds=n * every_s))
        told.append(standing.status)
    return told, standing


@pytest.mark.parametrize(
    ("looks", "last"),
    [
        ("+", "healthy"),
        ("+++++-", "healthy"),
        ("+++++--", "healthy"),
        ("+++++---", "failing"),
        ("-", "healthy"),
        ("---", "failing"),
        ("+++---+", "failing"),
        ("+++---++++", "failing"),
        ("+++---+++++", "healthy"),
        ("+++---++++-", "failing"),
        ("+-+-", "healthy"),
        ("+-+-+", "flapping"),
        ("+-+-+---", "failing"),
        ("+-+-+" + "+" * 20, "flapping"),
        ("+-+-+" + "+" * 40, "healthy"),
        ("+++---+++++---+++++", "flapping"),
    ],
)
def test_what_was_seen_makes_the_status(looks: str, last: str) -> None:
    assert watched(looks)[0][-1] == last


def test_a_failure_began_when_it_became_unready() -> None:
    _, standing = watched("+++---")

    assert standing.since == START + timedelta(seconds=45)


def test_a_function_flaps_since_its_first_change_of_late() -> None:
    _, standing = watched("++++-+-+")

    assert (standing.status, standing.since) == ("flapping", START + timedelta(seconds=60))


def test_what_is_long_past_is_forgotten() -> None:
    _, standing = watched("+-" * 3 + "+" * 200)

    assert (standing.status, len(standing.changes)) == ("healthy", 0)
