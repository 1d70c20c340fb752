"""A YAML of one's own: mistakes in it are told, and it is held against the records."""

import re
from pathlib import Path

import pytest
from kit import ROOT, Cli, entries, rows
from ownfiles import WAV, jpeg, put, table

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.spec import read_spec

HEAD = "title: x\nversion: 1.0.0\nlicence: x\nlicence_tag: other\nsources: {data: {}}\n"


def test_mistakes_in_a_yaml_are_told_with_their_line(tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "talks.yaml"
    columns = "columns:\n  a: {role: colour, key: b}\n"
    file.write_text(f"{HEAD}layout: table\n{columns}configs: {{talks: {{}}}}\n")
    told = cli("build", str(file))
    assert told.code == 1 and "talks.yaml:8: columns.a.role" in told.err
    file.write_text(
        file.read_text().replace("role: colour", "role: text").replace(": table", ": tabel")
    )
    assert "no layout tabel; there are" in cli("build", str(file)).err


PARTS = ["train", "test", "train"]


WRONG = [  # columns, splits, and what is said
    ("a: {role: text, key: b, pattern: '(x'}", "{}", "a.pattern: is no regular expression"),
    ("a: {role: text, key: b, pattern: x}", "{}", "a.pattern: has no group"),
    ("a: {role: id, key: b}, c: {role: id, key: d}", "{}", "two have role id"),
    (
        "audio: {role: audio, key: b}, duration: {role: text, key: d}",
        "{}",
        "duration: builds make it",
    ),
    ("a: {role: label, key: b, names: [x, x]}", "{}", "a: two classes"),
    ("a: {role: text, key: b}", "{names: {}}", "splits.names"),
    ("a: {role: text, kye: b}", "{}", "columns.a: no key kye; there are role, key,"),
    ("a: {role: text, key: b}", "{bye: key}", "splits: no key bye; there are by, names"),
    ("a: {role: text, key: b}", "{by: folder, key: b}", "by: folder does not use key"),
    ("a: {role: text, key: b}", "{by: key, key: b, seed: 2}", "by: key does not use seed"),
    ("a: {role: text, key: b}", "{names: {train: [], test: []}}", "all is one split, not train"),
    ("a: {role: text, key: b}", "{by: key}", "by: key needs key"),
    ("a: {role: text, key: b}", "{by: list, names: {a: [], b: []}}", "two splits without a list"),
    ("a: {role: text, key: b}", "{by: pattern, pattern: x}", "splits.pattern: has no group"),
    ("a: {role: text, key: b}", "{by: folder, names: {../x: []}}", "../x"),
    ("a: {role: text, key: b}", "{by: share, shares: {dev: 1}}", "give one for each of train"),
    ("a: {role: text, key: b}", "{by: share, shares: {train: 0.5}}", "add up to 1, not 0.5"),
]


@pytest.mark.parametrize(("columns", "splits", "told"), WRONG, ids=[told for *_, told in WRONG])
def test_a_yaml_is_held_against_what_it_needs(
    columns: str, splits: str, told: str, tmp_path: Path
) -> None:
    text = f"layout: table\ncolumns: {{{columns}}}\nsplits: {splits}\nconfigs: {{talks: {{}}}}\n"
    put(tmp_path / "talks.yaml", HEAD + text)
    with pytest.raises(EdgeGlassError) as caught:
        read_spec(tmp_path / "talks.yaml", "talks")
    assert told in str(caught.value) and "Value error" not in str(caught.value)


MISFITS = [  # what the YAML says, what is mistaken in it, and what is said of that
    ("key: part", "key: prt", "no key prt; there are name, text, part: did you mean part?"),
    ("by: key, key: part", "{shares}, by: share, key: prt", "no key prt; there are"),
    ("key: text", "key: txt", "no key txt; there are name, text, part: did you mean text?"),
    ("key: '{name}!'", "key: '{nmae%.jpg}!'", "no key nmae; there are name"),
    ("train: []", "trian: []", "no record of split trian; there are test, train: did you mean"),
    ("train: []", "train: [], dev: []", "no record of split dev; there are test, train"),
    ("by: key, key: part", "by: folder", "no record of split train; there are none"),
]


@pytest.mark.parametrize(("said", "mistake", "told"), MISFITS, ids=[each[1] for each in MISFITS])
@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_a_yaml_is_held_against_the_records(
    name: str, said: str, mistake: str, told: str, tmp_path: Path, cli: Cli
) -> None:
    records = [{"name": f"{n}", "text": "A bird.", "part": p} for n, p in enumerate(PARTS)]
    table(tmp_path / name, records)
    columns = "columns: {a: {role: text, key: text}, b: {role: text, key: '{name}!'}}\n"
    text = HEAD.replace("data: {}", f"data: {{path: {name}}}") + f"layout: table\n{columns}"
    text += "splits: {by: key, key: part, names: {train: [], test: []}}\nconfigs: {talks: {}}\n"
    put(tmp_path / "talks.yaml", text)
    assert cli("build", tmp_path / "talks.yaml", "--out", tmp_path / "out").code == 0
    mistake = mistake.replace("{shares}", "shares: {train: 0.5, test: 0.5}")
    put(tmp_path / "talks.yaml", text.replace(said, mistake))
    for verb in ("plan", "build"):
        assert told in cli(verb, tmp_path / "talks.yaml", "--out", tmp_path / "new").err


NOWHERE = [  # what the YAML says, and what is said of it
    ("sources: {data: {path: gone}}", r"no .*/gone: mend the path"),
    ("sources: {data: {path: lake}}\ntables: [a.csv]", r"no table a\.csv; there are list\.csv"),
]


@pytest.mark.parametrize(("where", "told"), NOWHERE, ids=["path", "tables"])
def test_a_place_that_a_yaml_names_and_is_not_there(
    where: str, told: str, tmp_path: Path, cli: Cli
) -> None:
    """Nor is anything else read in its stead, such as the folder around it."""
    table(tmp_path / "lake" / "list.csv", [{"text": "A bird."}])
    columns = "layout: table\ncolumns: {text: {role: text, key: text}}\nconfigs: {talks: {}}\n"
    put(tmp_path / "talks.yaml", HEAD.replace("sources: {data: {}}", where) + columns)
    for verb in ("plan", "build"):
        assert re.search(told, cli(verb, tmp_path / "talks.yaml", "--out", tmp_path / "out").err)
    assert not [*tmp_path.rglob("*-of-*.parquet")]


def test_the_yaml_of_the_page_is_built(tmp_path: Path, cli: Cli) -> None:
    """Also where a CSV has objects and lists as JSON in its cells."""
    page = (ROOT / "docs" / "own-data.md").read_text().partition("## The YAML")[2]
    put(tmp_path / "lake.yaml", page.partition("```yaml\n")[2].partition("```")[0])
    names = [f"owl_{number}.wav" for number in range(3)]
    for number, name in enumerate(names):
        put(tmp_path / "lake" / "clips" / name, WAV)
        put(tmp_path / "lake" / f"{number}.jpg", jpeg(number))
    records = [
        {"name": name, "text": "it calls", "species": "owl", "measures": measures, "scans": scans}
        | {"recorder": name}
        for name, measures, scans in zip(
            names,
            ['{"grams": 3.5}', '{"grams": 4}', "{heavy"],
            ['["0.jpg", "1.jpg"]', "2.jpg", '["gone.jpg", "1.jpg"]'],
            strict=True,
        )
    ]
    table(tmp_path / "lake" / "metadata.csv", records)
    assert cli("build", f"{tmp_path}/lake.yaml:lake_16k", "--out", str(tmp_path / "out")).code == 0
    made = rows(tmp_path / "out" / "lake_16k")
    assert [made[name]["weight"] for name in names[:2]] == [3.5, 4.0]
    assert [made[name]["pages_width"] for name in names[:2]] == [[40, 41], [42]]
    assert made[names[0]]["names"] == [names[0], "owl"]
    assert made[names[0]]["place"] == "owl" and names[2] not in made
    assert {row["site"] for row in made.values()} == {"north shore"}


def test_a_value_of_all_records_and_lists_in_cells_are_what_they_say(
    tmp_path: Path, cli: Cli
) -> None:
    """Braces in a value are no keys, an empty list is a list."""
    put(tmp_path / "d.csv", 'text,tags\nOne,"[]"\nTwo,"[""a""]"\n')
    columns = {
        "caption": "{role: caption, key: text}",
        "tags": "{role: text, key: tags, type: '[string]'}",
        "note": "{role: text, value: 'of {text}, {}'}",
        "year": "{role: number, value: 2026, type: int64}",
        "public": "{role: text, value: true, type: bool}",
        "shown": "{role: text, value: true}",
    }
    lines = "".join(f"  {name}: {each}\n" for name, each in columns.items())
    head = HEAD.replace("data: {}", "data: {path: d.csv}")
    put(tmp_path / "d.yaml", f"{head}layout: table\ncolumns:\n{lines}configs: {{d: {{}}}}\n")
    assert cli("build", f"{tmp_path}/d.yaml", "--out", f"{tmp_path}/data").code == 0
    made = rows(tmp_path / "data" / "d")
    assert [row["tags"] for row in made.values()] == [[], ["a"]]
    for row in made.values():
        assert (row["note"], row["year"], row["public"], row["shown"]) == (
            "of {text}, {}", 2026, True, "true",
        )  # fmt: skip


@pytest.mark.parametrize("read", ["", ", key: text, value: acme", ", value: null"])
def test_a_column_has_either_a_key_or_a_value(read: str, tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "d.yaml"
    put(tmp_path / "d.csv", "text\nOne\n")
    put(file, HEAD.replace("data: {}", "data: {path: d.csv}"))
    columns = f"layout: table\ncolumns: {{site: {{role: text{read}}}}}\nconfigs: {{d: {{}}}}\n"
    file.write_text(file.read_text() + columns)
    assert "columns.site: give it either a key, or a value" in cli("build", str(file)).err


BOTH = ["A bird.", "Ein Vogel."]
SEVERAL = [  # what the YAML says of a caption, and what comes of it
    ("key: [text_en, text_de]", {"captions": BOTH}),
    ("key: texts, type: '[string]'", {"captions": BOTH}),
    ("key: texts", "caption: 2 captions where one was expected: type: '[string]' keeps all"),
    ("key: [text_en, text_de], type: string", {"captions": BOTH}),
    ("key: [text_en, text_de], type: json", "caption: 2 captions where one was expected"),
]


@pytest.mark.parametrize(("said", "published"), SEVERAL, ids=[said for said, _ in SEVERAL])
def test_no_caption_of_several_is_lost(
    said: str, published: dict[str, list[str]] | str, tmp_path: Path, cli: Cli
) -> None:
    """Of a list of keys, or of a key that has a list; the first record has one caption alone."""
    several = {"text_en": BOTH[0], "text_de": BOTH[1], "texts": BOTH}
    table(tmp_path / "list.jsonl", [{"text_en": "An owl.", "texts": ["An owl."]}, several])
    text = HEAD.replace("data: {}", "data: {path: list.jsonl}") + "layout: table\n"
    text += f"columns: {{caption: {{role: caption, {said}}}}}\nconfigs: {{talks: {{}}}}\n"
    put(tmp_path / "talks.yaml", text)
    assert cli("build", tmp_path / "talks.yaml", "--out", tmp_path / "out").code == 0
    _, last = entries(tmp_path / "out" / "talks").values()
    if isinstance(published, str):
        assert last["outcome"] == "malformed_row" and last["detail"].startswith(published)
    else:
        row = [*rows(tmp_path / "out" / "talks").values()][-1]
        assert {name: row[name] for name in published} == published


@pytest.mark.parametrize("said", ["key: [text, n]", "key: n, type: '[string]'"])
@pytest.mark.parametrize("role", ["id", "start", "md5"])
def test_what_a_row_has_once_is_no_list(role: str, said: str, tmp_path: Path, cli: Cli) -> None:
    table(tmp_path / "list.jsonl", [{"text": "An owl.", "n": ["1"]}])
    text = HEAD.replace("data: {}", "data: {path: list.jsonl}") + "layout: table\n"
    text += f"columns: {{n: {{role: {role}, {said}}}}}\nconfigs: {{talks: {{}}}}\n"
    put(tmp_path / "talks.yaml", text)
    assert (
        f"column n: a row has one {role}: give one key" in cli("build", tmp_path / "talks.yaml").err
    )


def test_a_yaml_may_be_called_otherwise_than_its_first_config(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "d.csv", "text\nOne\n")
    file = tmp_path / "other.yaml"
    file.write_text(cli("init", "d.csv").out + "  d_2: {}\n")
    for place in (file, f"{file}:d_2"):
        assert cli("build", str(place), "--out", str(tmp_path / "data")).code == 0
    assert {p.name for p in (tmp_path / "data").glob("d*")} == {"d", "d_2"}
    file.write_text(file.read_text().replace("d_2:", "e:"))
    assert "config 'e': must be d or d_…, as the first" in cli("build", str(file)).err
    file.write_text(file.read_text().replace("d: {}", "other: {}"))
    assert "config 'e': must be other or other_…, as its file" in cli("build", str(file)).err


def test_an_empty_yaml_is_what_an_error_of_init_leaves(tmp_path: Path, cli: Cli) -> None:
    put(tmp_path / "d.yaml", "")
    assert "d.yaml is empty: `init` ended in an error" in cli("build", str(tmp_path / "d.yaml")).err
