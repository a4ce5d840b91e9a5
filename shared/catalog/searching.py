"""Full-text search: what a shopper typed as a tsquery, the ranked page, the facets, and "did you mean".

Only Postgres' own text search is used. The syntax is that of websearch_to_tsquery, which takes any input: words,
"phrases", -negation, OR. The word typed last matches as a beginning too: of words in titles and attributes, and of
SKUs.
"""

import html
import re
import unicodedata
from functools import cache
from typing import NamedTuple

import orjson
from sqlalchemy import TextClause, text

from shared.catalog.browsing import SORTS, beyond, conditions, order
from shared.runtime import Work

AT_MOST = 2_000
"""So many matches are ranked and counted; where there are more, totals say "at least"."""

BEGUN_AT_MOST, BEGUN_BY_A_WORD = 50, 10
"""So many words stand for the beginning that was typed last, the shortest first; fewer where it is a word itself."""

_WORD = re.compile(r"[^\W_]{3,64}")
_OR = re.compile(r"(?:^|.*\s)or(?:\s|$)", re.IGNORECASE | re.DOTALL)


class Query(NamedTuple):
    """A search in parts: `either`, or all of `words` and `last`.

    Beside `last` stand the words that begin so: `begun` are those that the catalogue has, of which the index is asked;
    `prefix` is for what was found. `whole` is what was typed, to be compared with titles.
    """

    either: str
    words: str
    last: str
    prefix: str
    begun: str
    whole: str


# An index look-up by a prefix gathers the products of every word that begins so, before it heeds any other word.
BEGUN = text(f"""
select word from (
  select word from catalog.words where word > :last and word < :last || U&'\\+10FFFF' order by word limit 1000
) as w order by length(word), word
limit case when exists (select from catalog.words where word = :last) then {BEGUN_BY_A_WORD} else {BEGUN_AT_MOST} end
""")  # noqa: S608 - a constant of ours


async def query_of(typed: str, work: Work) -> Query:
    """A last word of three letters and more is still being typed, unless a space or a quote ends it."""
    query = parts_of(typed)
    if not query.last:
        return query
    if not query.last.isalpha():  # the beginning of a SKU: few begin so, and they are no words of the catalogue
        return query._replace(begun=query.prefix)
    begun = await work.db.all(BEGUN, last=query.last)
    return query._replace(begun=" | ".join(f"'{row.word}'" for row in begun))


def parts_of(typed: str) -> Query:
    folded = folded_of(typed).replace("/", " ")
    head, space, last = folded.rpartition(" ")
    if not _WORD.fullmatch(last) or last == "or" or head.count('"') % 2:
        head, last = folded, ""
    cut = _OR.match(head + space if last else head)
    at = cut.end() if cut else 0
    prefix = f"'{last}':*" if last else ""
    return Query(_without_or(head[:at]), head[at:], last, prefix, "", folded_of(typed).strip())


def _without_or(said: str) -> str:
    return re.sub(r"\s*or\s*$", "", said)


def folded_of(said: str) -> str:
    """As catalog.folded does: lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", said)
    return "".join(character for character in decomposed if not 0x300 <= ord(character) <= 0x36F).lower()


_QUERY = """(websearch_to_tsquery('english', :either) || (websearch_to_tsquery('english', :words)
  && (websearch_to_tsquery('english', :last) || cast({} as tsquery))))"""
QUERY, QUERY_OF_FOUND = _QUERY.format(":begun"), _QUERY.format(":prefix")

RANK = f"""(case when s.about @@ {QUERY_OF_FOUND} then 1 + ts_rank(s.about, {QUERY_OF_FOUND})
    - length(s.title_key) / 1000.0 else 0 end
  + case when s.title_key = :whole then 1 else 0 end + ln(1 + s.units_sold) / 50)::float8"""
"""What the words name goes before what is merely described with them; then how near they stand to each other, how
little else the title says, and how well the product sells. A title that is the whole search goes first."""

MARKS = "\ue000", "\ue001"
"""Around what matched, in snippets, until these are made safe for HTML."""

HEADLINE = f"StartSel={MARKS[0]},StopSel={MARKS[1]},MaxWords=30,MinWords=12"


READ = 1_000
"""So many characters of a description are looked through for a snippet."""


def matched(keys: str, found: list[str], *, searched: bool) -> str:
    """Selects `keys` of what matches the words, where `searched`, and the conditions `found`."""
    where = " and ".join([f"s.lexemes @@ {QUERY}", *found] if searched else found) or "true"
    return f"select s.product_id, {keys} from catalog.search_entries s where {where} limit {AT_MOST + 1}"  # noqa: S608


@cache
def search_statement(
    sort_name: str,
    filters: tuple[str, ...],
    attributes: int,
    *,
    searched: bool,
    after: bool,
    counted: tuple[str, str] = ("", ""),
) -> TextClause:
    """One page with the number of all matches. `searched` is false where only filters are given.

    `counted` are more columns of the matches, and a query that counts them: its rows stand in the first row as JSON.
    """
    columns, counts = counted
    sort = SORTS[sort_name]
    key = RANK if sort.column == "rank" else f"s.{sort.column}"
    where = f"where {beyond(sort, 'key')}" if after else ""
    read = f"case p.description when '' then p.title else left(p.description, {READ}) end"
    snippet = f"ts_headline('english', {read}, {QUERY_OF_FOUND}, '{HEADLINE}')"
    once = f"case when coalesce(page.place, 1) = 1 then (select json_agg(c) from ({counts}) as c)::text end"  # noqa: S608
    return text(f"""
with matched as materialized (
  {matched(f"{key} as key{columns}", conditions(filters, attributes), searched=searched)}
), page as (
  select product_id, key, row_number() over (order by {order(sort, "key")}) as place
  from matched {where} order by {order(sort, "key")} limit :count
)
select t.total, page.product_id, page.key, l.document, l.stock, {snippet if searched else "null"} as snippet,
  {once if counts else "null"} as counts
from (select count(*) as total from matched) t
left join page on true
left join catalog.listings l on l.product_id = page.product_id
left join catalog.products p on p.id = page.product_id
order by {order(sort, "key", "page.")}
""").execution_options(planned="anew")  # noqa: S608 - made of constants


def snippet_of(headline: str) -> str:
    """A headline as a JSON string of safe HTML."""
    safe = html.escape(headline).replace(MARKS[0], "<mark>").replace(MARKS[1], "</mark>")
    return orjson.dumps(safe).decode()
