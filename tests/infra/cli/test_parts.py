"""How a file of products is cut: at the shop's limits, between products, with every row's number kept."""

import gzip
from pathlib import Path

import pytest

from infra.cli import parts
from infra.cli.parts import NotRows, format_of, parts_of, survey
from shared.catalog.sheets import entries_of

SLUG = "slug"
HEADER = b"slug,title,sku,price_minor\n"


def cut(tmp_path: Path, content: bytes, format: str = "csv", part_rows: int = 2) -> list[parts.Part]:
    file = tmp_path / f"products.{format}"
    file.write_bytes(content)
    return list(parts_of(file, format, part_rows, SLUG))


def test_every_part_has_the_header_and_no_product_is_split(tmp_path: Path) -> None:
    rows = [b"mug,Mug,M-%d,100\n" % number for number in range(3)] + [
        b"tea,Tea,T,100\n",
        b",Tin,TIN,100\n",
        b",Tin,TIN2,1",
    ]

    found = cut(tmp_path, HEADER + b"".join(rows))

    assert [(part.number, part.before, part.rows) for part in found] == [(1, 0, 3), (2, 3, 2), (3, 5, 1)]
    assert [part.body for part in found] == [
        HEADER + b"".join(rows[:3]),
        HEADER + b"".join(rows[3:5]),
        HEADER + rows[5],
    ]


def test_rows_are_numbered_as_the_shop_numbers_them(tmp_path: Path) -> None:
    content = (
        b"\xef\xbb\xbf" + HEADER + b'mug,"Mug,\nwith a ""handle""",M,100\r\n\r\n\n'
        b'tea,"broken"x,T,1\nshort\ntin,T\xc3\xaen,TIN,1\n"",,,\nlid,Lid,LID,2\n'
    )
    whole = entries_of("text/csv", content)

    for part_rows in (1, 2, 3, 100):
        found = [
            ([row + part.before for row in entry.rows], entry.slug, entry.errors)
            for part in cut(tmp_path, content, part_rows=part_rows)
            for entry in entries_of("text/csv", part.body)
        ]
        numbers = [(rows, slug) for rows, slug, _ in found]
        assert numbers == [([*entry.rows], entry.slug) for entry in whole]
        assert [bool(errors) for *_, errors in found] == [bool(entry.errors) for entry in whole]


def test_lines_of_json_keep_their_numbers_over_empty_ones(tmp_path: Path) -> None:
    found = cut(tmp_path, b'{"a":1}\n\n{"a":2}\r\n{"a":3}', "ndjson")

    assert [(part.body, part.before) for part in found] == [(b'{"a":1}\n\n', 0), (b'{"a":2}\r\n{"a":3}', 2)]


def test_a_part_stays_below_the_body_s_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "BYTES_AT_MOST", 100)

    found = cut(tmp_path, HEADER + b"".join(b"m-%d,Mug,M,1\n" % number for number in range(20)), part_rows=1_000)

    assert sum(part.rows for part in found) == 20
    assert max(len(part.body) for part in found) in range(90, 101)


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_a_product_that_the_shop_could_not_take_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(parts, "BYTES_AT_MOST", 200)
    ends = {"csv": b"mug,%s\nmug,%s\n" % (b"x" * 100, b"x" * 100), "ndjson": b"{%s}\n" % (b" " * 250)}

    with pytest.raises(NotRows, match="longer than the shop takes at once"):
        cut(tmp_path, HEADER + b"tea,,,\n" + ends[format], format)


def test_too_many_rows_of_one_product(tmp_path: Path) -> None:
    with pytest.raises(NotRows, match="row 2 is longer"):
        cut(tmp_path, HEADER + b"tea,,,\n" + b"mug,,M,1\n" * 5_001)


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    content = HEADER + b'mug,"Mug,M,1\n' + b"".join(b"t-%d,Tea,T,1\n" % number for number in range(50_000))

    found = cut(tmp_path, content, part_rows=1_000)

    assert len(found) > 10
    assert max(len(part.body) for part in found) < 1_000_000


@pytest.mark.parametrize("content", [b"", b"\n\n", HEADER])
def test_a_file_without_rows(tmp_path: Path, content: bytes) -> None:
    assert cut(tmp_path, content) == []


def test_what_is_not_utf_8_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(NotRows, match="line 3 is not UTF-8"):
        cut(tmp_path, HEADER + b"mug,Mug,M,1\ncaf\xe9,,,\n")


def test_a_packed_file_is_the_same_file(tmp_path: Path) -> None:
    content = HEADER + b"".join(b"m-%d,Mug,M,1\n" % number for number in range(20))
    (tmp_path / "plain.csv").write_bytes(content)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(content))

    plain, packed = (survey(parts_of(tmp_path / name, "csv", 7, SLUG)) for name in ("plain.csv", "packed.csv.gz"))

    assert plain == packed
    assert plain.rows == 20
    assert survey(parts_of(tmp_path / "plain.csv", "csv", 8, SLUG)).digest != plain.digest


def test_a_packed_file_that_is_not_whole(tmp_path: Path) -> None:
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(HEADER * 1_000)[:-20])
    (tmp_path / "other.csv.gz").write_bytes(HEADER)

    for name in ("cut.csv.gz", "other.csv.gz"):
        with pytest.raises(NotRows, match="damaged gzip file"):
            list(parts_of(tmp_path / name, "csv", 7, SLUG))


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.csv", "csv"),
        ("a.CSV", "csv"),
        ("a.ndjson.gz", "ndjson"),
        ("a.jsonl", "ndjson"),
        ("a.txt", None),
        ("-", None),
    ],
)
def test_a_file_s_name_says_its_format(name: str, format: str | None) -> None:
    assert format_of(Path(name)) == format
