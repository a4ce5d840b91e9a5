"""Did you mean: words of the catalogue that a few letters turn a mistyped one into.

Two words that are one edit apart have a word in common that is left when a letter is left out of each (or of one), so
candidates are found by an index look-up; their true distance is then measured. A long word may have two edits.
"""

import re
from typing import NamedTuple

from sqlalchemy import text

from shared.catalog.searching import folded_of
from shared.runtime import Work

CANDIDATES = text("""
select asked.word as asked, w.word
from unnest(cast(:asked as text[])) as asked (word)
cross join lateral (
  select word from catalog.words w where w.deletions && catalog.deletions(asked.word) limit 200
) as w
where not exists (select from catalog.words known where known.word = asked.word)
""")

# A lexeme of the simple configuration: the words of the catalogue stand in the search entries as they are written.
COUNTS = text("""
select w.word, (
    select count(*) from (
      select from catalog.search_entries s where s.lexemes @@ cast('''' || w.word || '''' as tsquery) limit 1000
    ) as found
  ) as products
from unnest(cast(:words as text[])) as w (word)
""")

_WORD = re.compile(r"[^\W\d_]{4,40}")


class Candidate(NamedTuple):
    asked: str
    word: str
    distance: int


async def corrected(work: Work, typed: str) -> str | None:
    """What was typed with its unknown words put right: the nearest known ones, of these the most frequent."""
    from rapidfuzz.distance import OSA  # rarely needed, so imported late

    folded = folded_of(typed)
    near = []
    for row in await work.db.all(CANDIDATES, asked=sorted(set(_WORD.findall(folded)))):
        allowed = 1 if len(row.asked) < 7 else 2
        distance = OSA.distance(row.asked, row.word, score_cutoff=allowed)
        if distance <= allowed:
            near.append(Candidate(row.asked, row.word, distance))
    if not near:
        return None
    frequent = {row.word: row.products for row in await work.db.all(COUNTS, words=sorted({c.word for c in near}))}
    best: dict[str, Candidate] = {}
    for candidate in sorted(near, key=lambda c: (c.distance, -frequent[c.word], c.word)):
        if frequent[candidate.word]:
            best.setdefault(candidate.asked, candidate)
    return _WORD.sub(lambda found: best[found[0]].word if found[0] in best else found[0], folded) if best else None
