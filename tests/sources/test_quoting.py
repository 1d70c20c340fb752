"""Quotes of text tables: as their writer meant them, and no row swallows another."""

import csv
import gzip
import io
from operator import itemgetter
from pathlib import Path

import pandas as pd
import pytest
from chunk_records import records
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_glass.core.ledger import Outcome
from edge_glass.sources.quoting import Quoting
from edge_glass.sources.raw import Raw
from edge_glass.sources.table_layout import Layout

HEADER = "URL|TEXT|N"
TABLE = Layout(
    "chunks", {"URL": "VARCHAR", "TEXT": "VARCHAR", "N": "BIGINT"}, ("URL",), delimiter="|"
)
# lines -> the records, which have as many rows and the same URLs as Spark 4 reads of them with
# spark.read.options(delimiter="|", header=True).csv(path); where lines end inside quotes
# (multiLine) they are one
CASES = {
    "a quote that is never closed": (
        'u1|"5 inch screen|1\nu2|plain|2\nu3|rack 19" wide|3\nu4|"quoted | delimiter"|4',
        [
            ("u1", '"5 inch screen'),
            ("u2", "plain"),
            ("u3", 'rack 19" wide'),
            ("u4", "quoted | delimiter"),
        ],
    ),
    "a quote that another row would close": (
        'u1|"5 inch|1\nu2|x 19"|2\nu3|"ok"|3',
        [("u1", '"5 inch'), ("u2", 'x 19"'), ("u3", "ok")],
    ),
    "letters after a closing quote": (
        'u1|"5" disk|1\nu2|"open|2',
        [("u1", '"5" disk'), ("u2", '"open')],
    ),
    "quotes after a backslash, as Spark writes them": (
        'u1|"he said \\"hi\\" now"|1\nu2|"a \\"b\\" | c"|2',
        [("u1", 'he said "hi" now'), ("u2", 'a "b" | c')],
    ),
    "nothing but quotes": (
        'u1|"|1\nu2|""|2\nu3|"""|3\nu4|""""|4',
        [("u1", '"'), ("u2", None), ("u3", '"""'), ("u4", '"')],
    ),
    "lines inside quotes": (
        'u1|"line one\nline two"|1\nu2|"he said ""hi"""|2\nu3|b|3',
        [("u1", "line one\nline two"), ("u2", 'he said "hi"'), ("u3", "b")],
    ),
}


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_lines_inside_quotes_in_a_table_of_one_column(tmp_path: Path, packed: str) -> None:
    path = tmp_path / f"a.csv{packed}"
    text = b'TEXT\n"one\ntwo"\nplain\n"5 inch\n"says ""hi"""\n"a\n\nb, c"\nlast\n'
    path.write_bytes(gzip.compress(text) if packed else text)
    table = Layout("chunks", {"TEXT": "VARCHAR"}, ())
    found = [fields["TEXT"] for _, fields, _, _ in records(tmp_path, table)]
    assert found == ["one\ntwo", "plain", '"5 inch', 'says "hi"', "a\n\nb, c", "last"]


def chunk(folder: Path, text: str, name: str = "a.csv") -> list[tuple[str | None, str | None]]:
    """URL and text of each record of a chunk; its rows are numbered from 0 without a gap."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text.encode())
    found = list(records(folder, TABLE))
    assert [where for where, *_ in found] == [f"{name} row {n}" for n in range(len(found))]
    return [(record["URL"], record["TEXT"]) for _, record, *_ in found]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_no_quote_swallows_another_row(case: str, ends: str, tmp_path: Path) -> None:
    text, rows = CASES[case]
    said = f"{HEADER}\n{text}\n".replace("\n", ends)
    wanted = [(url, value and value.replace("\n", ends)) for url, value in rows]
    assert chunk(tmp_path / "chunks", said) == wanted
    (tmp_path / "list.csv").write_bytes(said.encode())
    raw = Raw("birds", {"list": tmp_path / "list.csv"})
    read = [record for _, record in raw.csv("list", ["URL", "TEXT"], delimiter="|")]
    assert [(record["URL"], record["TEXT"] or None) for record in read] == wanted


def test_lines_that_end_in_cr_alone(tmp_path: Path) -> None:
    assert chunk(tmp_path / "a", f"{HEADER}\ru1|a|1\ru2|b|2\r") == [("u1", "a"), ("u2", "b")]


# of lines that are rows by themselves nobody can tell that they are one field
TEXTS = st.text(st.sampled_from('ab" |,\\'), max_size=12) | st.text(
    st.sampled_from('ab" \n,\\'), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
def test_what_pandas_writes_is_read_as_it_was(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = io.StringIO()
    rows = [(f"u{n}", text, n) for n, text in enumerate(texts)]
    pd.DataFrame(rows, columns=HEADER.split("|")).to_csv(out, sep="|", index=False)
    found = chunk(tmp_path_factory.mktemp("pandas"), out.getvalue())
    assert found == [(url, text or None) for url, text, _ in rows]


@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(st.text(st.sampled_from('ab"| \\'), max_size=14), max_size=8),
    cut=st.integers(0, 60),
)
def test_every_line_is_in_one_record(lines: list[str], cut: int) -> None:
    """However the text is cut into blocks, and whatever the quotes are."""
    quoting = Quoting(b"|", 3)
    text = "".join(f"{line}\n" for line in lines).encode()
    whole, rest = quoting.mend(text, last=True)
    assert rest == b""
    at = text.rfind(b"\n", 0, cut) + 1
    first, waiting = quoting.mend(text[:at], last=False)
    second, _ = quoting.mend(waiting + text[at:], last=True)
    assert first + second == whole
    read = list(csv.reader(io.StringIO(whole.decode(), newline=""), delimiter="|", strict=True))
    assert sum(1 + sum(field.count("\n") for field in row) for row in read) == len(lines)


def test_a_quote_far_from_its_end_costs_its_own_row(tmp_path: Path) -> None:
    rows = [f"u{n}|text {n}|{n}\n" for n in range(200_000)]
    rows[10] = 'u10|"never closed|10\n'
    found = chunk(tmp_path / "a", f"{HEADER}\n" + "".join(rows))
    assert len(found) == 200_000
    assert found[10] == ("u10", '"never closed')


def test_a_line_of_another_width_is_malformed_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "a.csv").write_text(f'{HEADER}\nu1|"a|b|c|1\nu2|b|2\n')
    found = [why and why[0] for _, _, why, _ in records(folder, TABLE)]
    assert found == [Outcome.MALFORMED_ROW, None]


def test_bytes_of_another_encoding_cost_their_own_row(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    lines = ["u0|a|0", "u1|é|x|1", 'u2|"é|x"|y|2', "é", 'u4|"a\né\n"|4', "u5|b|5", "é|c|6|x"]
    (folder / "a.csv").write_bytes("\n".join([HEADER, *lines]).encode("latin-1"))
    found = [why and why[0] for _, _, why, _ in sorted(records(folder, TABLE), key=itemgetter(0))]
    wrong = Outcome.MALFORMED_ROW
    assert found == [None, wrong, wrong, wrong, Outcome.BAD_ENCODING, None, wrong]


@pytest.mark.parametrize("last", ['"N', 'N"', '"N"x'])
@pytest.mark.parametrize("quoted", ["a", '"a|b"'])
def test_a_quote_in_the_header_swallows_no_row(last: str, quoted: str, tmp_path: Path) -> None:
    text = f"URL|TEXT|{last}\nu1|{quoted}|1\nu2|b|2\n"
    wanted = [("u1", quoted.strip('"')), ("u2", "b")]
    assert chunk(tmp_path / "chunks", text) == wanted
    raw = Raw("birds", {"list": tmp_path / "chunks" / "a.csv"})
    read = [record for _, record in raw.csv("list", ["URL", "TEXT"], delimiter="|")]
    assert [(record["URL"], record["TEXT"]) for record in read] == wanted
    assert list(read[0]) == ["URL", "TEXT", last]
