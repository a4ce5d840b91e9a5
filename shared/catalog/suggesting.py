"""What a shopper may be typing: a few products and categories, found among candidates whose number is bounded.

A short beginning fits so many words that an index look-up by it would read half of the index. So the best sellers are
looked through first, and the index is asked only for some whole words that begin so, when the best sellers know few.
"""

import re
from typing import Any

from sqlalchemy import text

from shared.catalog.searching import folded_of

BEST_SELLERS = 1_000
"""So many products are looked through, from the best seller down."""

WORDS = 20
"""So many whole words stand for a beginning, the shortest first."""

FITTING = 200
"""So many products of these words are looked at."""

_WORD = re.compile(r"[^\W_]{1,64}")

_APART = "' ' || translate({}, '-/.,+&()''\"', '          ')"
"""A text whose words stand after a space each."""

_FITS = f"{_APART.format('s.title_key')} like all(cast(:beginnings as text[]))"
"""Said of titles alone; what the index or `about` finds may have the word among its attributes."""

_FIRST = """select p.title, p.slug
from (
  select distinct on (title_key) product_id, title_key, units_sold from found
  order by title_key, units_sold desc, product_id
) as one
join catalog.products p on p.id = one.product_id
order by starts_with(one.title_key, :typed) desc, one.units_sold desc, one.title_key limit :count"""

BEST_SELLING = text(f"""
with found as (
  select product_id, title_key, units_sold from (
    select * from catalog.search_entries
    order by units_sold desc, product_id desc limit {BEST_SELLERS}
  ) as s where about @@ cast(:prefixes as tsquery) and {_FITS}
  union all
  (select product_id, title_key, units_sold from catalog.search_entries
   where title_key >= :typed and title_key < :typed || U&'\\+10FFFF' order by title_key, product_id limit {FITTING})
)
{_FIRST}
""")  # noqa: S608 - made of constants

BY_WORDS = text(f"""
with begun as (
  select word from (
    select word from catalog.words where word >= :last and word < :last || U&'\\+10FFFF' order by word limit 1000
  ) as w order by length(word), word limit {WORDS}
), found as (
  select s.product_id, s.title_key, s.units_sold from (
    select * from catalog.search_entries where lexemes @@ cast(
      concat_ws(' & ', nullif(:whole, ''), (select '(' || string_agg('''' || word || '''', ' | ') || ')' from begun))
    as tsquery) and exists (select from begun)
    limit {FITTING}
  ) as s where {_FITS}
)
{_FIRST}
""").execution_options(planned="anew")  # noqa: S608 - made of constants

CATEGORIES = text(f"""
select name, slug
from (select *, catalog.folded(name) as title_key from catalog.categories) as s
where {_FITS}
order by starts_with(title_key, :typed) desc, cardinality(ancestors), position, title_key limit :count
""")  # noqa: S608 - made of constants


def values_of(typed: str) -> dict[str, Any] | None:
    """What the statements take; nothing where there is no word in what was typed."""
    words = _WORD.findall(folded_of(typed))
    if not words:
        return None
    return {
        "typed": folded_of(typed).strip(),
        "beginnings": [f"% {word}%" for word in words],
        "prefixes": " & ".join(f"'{word}':*" for word in words),
        "whole": " & ".join(f"'{word}'" for word in words[:-1]),
        "last": words[-1],
    }
