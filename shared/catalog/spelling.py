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

KNOWN = text("select word from catalog.words where word = any(cast(:words as text[]))")

_WORD = re.compile(r"[^\W\d_]{4,40}")
_PAIR = re.compile(r"(?=\b([^\W\d_]{2,40})[ -]([^\W\d_]{2,40})\b)")


class Candidate(NamedTuple):
    asked: str
    word: str
    distance: int


async def corrected(work: Work, typed: str) -> str | None:
    """What was typed with its unknown words put right: the nearest known ones, of these the most frequent.

    Where there are none such, two words that are known as one are joined, one that is known as two is parted.
    """
    folded = folded_of(typed)
    return await _respelled(work, folded) or await _joined_or_parted(work, folded)


async def _joined_or_parted(work: Work, folded: str) -> str | None:
    joined = {"".join(pair): re.compile(rf"\b{pair[0]}[ -]{pair[1]}\b") for pair in _PAIR.findall(folded)}
    parted = {
        (word[:at], word[at:]): re.compile(rf"\b{word}\b")
        for word in _WORD.findall(folded)
        for at in range(2, len(word) - 1)
    }
    wanted = {*joined, *(half for halves in parted for half in halves)}
    known = {row.word for row in await work.db.all(KNOWN, words=sorted(wanted))} if wanted else set()
    meant = folded
    for word, pattern in joined.items():
        if word in known:
            meant = pattern.sub(word, meant)
    for halves, pattern in parted.items():
        if known.issuperset(halves):
            meant = pattern.sub(" ".join(halves), meant)
    return None if meant == folded else meant


async def _respelled(work: Work, folded: str) -> str | None:
    from rapidfuzz.distance import OSA  # rarely needed, so imported late

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
