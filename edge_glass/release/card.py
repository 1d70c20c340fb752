"""The README of a dataset: what every config holds, in figures taken from the builds."""

import re
from collections.abc import Collection, Iterable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import datasets
import jinja2
import yaml
from huggingface_hub import DatasetCard, DatasetCardData

from edge_glass.core import ledger, manifest
from edge_glass.core.atomic_files import Whole
from edge_glass.core.errors import DataError
from edge_glass.core.manifest import EDITS, Manifest
from edge_glass.core.names import PLOTS
from edge_glass.core.visible import visible
from edge_glass.corpora import catalog

FILE = "README.md"
SEALS = "edge_glass_manifests"  # of its header
SEAL_LINE = re.compile(r"^(\S+): sha256 of its manifest ([0-9a-f]{64})$", re.MULTILINE)
HEAD = """# {name}

Built with Edge Glass: self-contained Parquet with the media inside, and for each config a ledger
of every source row, kept or dropped and why.

```python
from datasets import load_dataset

ds = load_dataset("{repo}", "{config}")  # to decode sound it wants torchcodec, pictures Pillow
rows = load_dataset("{repo}", "{config}_ledger", split="ledger")  # what became of each source row
```
"""


def write(out: Path) -> None:
    """Write `out/README.md` over all that is built, so that `load_dataset(out, config)` works."""
    manifests = [manifest.read(folder) for folder in manifest.built(out).values()]
    drawn = {path.stem for path in (out / PLOTS).glob("*.png")}
    with Whole(out / FILE) as file:
        file.write(render(manifests, repo=str(out.name), previous=None, drawn=drawn).encode())


def render(
    manifests: list[Manifest], repo: str, previous: str | None, drawn: Collection[str] = ()
) -> str:
    """The card that lists `manifests`; everything else that `previous` says stays.

    `manifests` holds every config of the corpora in question that the repository will have, `drawn`
    the names of those that have a picture in `PLOTS` beside the card.
    Raises EdgeGlassError if the header of `previous` cannot be read.
    """
    data, text = _parts(previous) if previous else ({}, _head(repo, manifests[0].config))
    configs = _by_name(data.get("configs"))
    default = next((name for name, config in configs.items() if config.get("default")), None)
    configs |= _by_name([entry for m in manifests for entry in _configs(m)])
    for name in (f"{m.config}_edits" for m in manifests if not _is_amended(m)):
        configs.pop(name, None)
    _set_default(configs, default, {m.corpus for m in manifests})
    infos = _by_name(data.get("dataset_info")) | _by_name([_info(m) for m in manifests])
    data |= {"configs": [*configs.values()], "dataset_info": [*infos.values()]}
    data[SEALS] = seals(data) | {m.config: m.seal for m in manifests}
    _describe(data, manifests)
    for corpus in dict.fromkeys(m.corpus for m in manifests):
        ours = [m for m in manifests if m.corpus == corpus]
        text = _replace(text, corpus, ours, drawn)
    return f"---\n{DatasetCardData(**data).to_yaml(line_break=None)}\n---\n{text.strip()}\n"


def seals(data: dict[str, Any]) -> dict[str, str]:
    """Config -> sha256 of its manifest, as the header of a card has them."""
    found = data.get(SEALS)
    return found if isinstance(found, dict) else {}


def sealed(readme: str) -> dict[str, str]:
    """Config -> sha256 of its manifest, as a card has them; raises EdgeGlassError as `render`."""
    return seals(_parts(readme)[0])


def seal_lines(manifests: Iterable[Manifest]) -> str:
    """What the commit and the tag of a version say of its manifests."""
    return "\n".join(f"{m.config}: sha256 of its manifest {m.seal}" for m in manifests)


def pushed_seals(messages: Iterable[str]) -> dict[str, str]:
    """Config -> sha256 of its manifest, out of messages of commits; the last ones count."""
    return {name: seal for text in messages for name, seal in SEAL_LINE.findall(text)}


def doi(readme: str | None) -> str | None:
    """The DOI that the header of a card gives, as the Hub or its authors have put it there."""
    found = _parts(readme)[0].get("doi") if readme else None
    return str(found).removeprefix("https://doi.org/") if found else None


def _parts(previous: str) -> tuple[dict[str, Any], str]:
    """The header of a card, and its text."""
    try:
        card = DatasetCard(previous)
        return card.data.to_dict(), card.text  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())
        raise DataError(f"{FILE}: its header cannot be read: {what}. Mend it first") from None


def _head(repo: str, config: str) -> str:
    return HEAD.format(name=repo.rsplit("/", maxsplit=1)[-1], repo=repo, config=config)


def _by_name(entries: Any) -> dict[str, dict[str, Any]]:
    """Entries of a header by their config's name, which may be left out of an only one."""
    entries = entries if isinstance(entries, list) else [*filter(None, [entries])]
    if wrong := [entry for entry in entries if not isinstance(entry, dict)]:
        raise DataError(f"{FILE}: its header lists {wrong[0]!r} as a config. Mend it first")
    return {entry.get("config_name", "default"): entry for entry in entries}


def _configs(made: Manifest) -> Iterable[dict[str, Any]]:
    """The config and its ledger's; `datasets` fails to load splits and configs without a row."""
    files = [
        {
            "split": split,
            "path": f"{made.config}/{split}-*-of-{len(facts.shards):05d}.parquet",
        }
        for split, facts in made.splits.items()
        if facts.rows
    ]
    if files:
        yield {"config_name": made.config, "data_files": files}
    tables = {"ledger": ledger.FILE} | ({"edits": EDITS} if _is_amended(made) else {})
    for name, file in tables.items():
        files = [{"split": name, "path": f"{made.config}/{file}"}]
        yield {"config_name": f"{made.config}_{name}", "data_files": files}


def _is_amended(made: Manifest) -> bool:
    return EDITS in (table.file for table in made.tables)


def _set_default(
    configs: dict[str, dict[str, Any]], default: str | None, corpora: set[str]
) -> None:
    """The default stays what it was; if there was none, it is the first corpus's full config."""
    full = sorted(configs.keys() & (catalog.corpora().keys() | corpora))
    for name in [default] if default else full[:1]:
        configs[name]["default"] = True


def _info(made: Manifest) -> dict[str, Any]:
    features = datasets.Features.from_dict(made.features)
    splits = [
        {"name": split, "num_bytes": facts.bytes, "num_examples": facts.rows}
        for split, facts in made.splits.items()
        if facts.rows
    ]
    size = sum(facts.bytes for facts in made.splits.values() if facts.rows)
    # `datasets` before 3.2 knows no videos, and a README that names one spoils all configs for it
    readable = not any(isinstance(feature, datasets.Video) for feature in features.values())
    columns = {"features": _older(features._to_yaml_list())} if readable else {}
    return {
        "config_name": made.config,
        **columns,
        "splits": splits,
        "download_size": size,
        "dataset_size": size,
    }


def _older(feature: Any) -> Any:
    """`list: string` as `sequence: string`, which every release of `datasets` reads."""
    if isinstance(feature, list):
        return [_older(item) for item in feature]
    if isinstance(feature, dict):
        if isinstance(feature.get("list"), str | dict):
            feature = {("sequence" if key == "list" else key): v for key, v in feature.items()}
        return {key: _older(value) for key, value in feature.items()}
    return feature


def _describe(data: dict[str, Any], manifests: list[Manifest]) -> None:
    specs = catalog.specs(manifests)
    for key, values in (
        ("language", [x for spec in specs for x in spec.languages]),
        ("task_categories", [x for spec in specs for x in spec.tasks]),
        ("license", [spec.licence_tag for spec in specs]),
    ):
        known = data.get(key) or []
        known = [known] if isinstance(known, str) else known
        data[key] = [*dict.fromkeys([*known, *values])]
    data.setdefault("pretty_name", "Edge Glass")


def _replace(text: str, corpus: str, manifests: list[Manifest], drawn: Collection[str]) -> str:
    start, said = f"<!-- edge-glass {corpus} -->", _section(corpus, manifests, drawn).strip()
    section = f"{start}\n{said}\n<!-- /edge-glass {corpus} {_digest(said)} -->"
    pattern = rf"(?s){re.escape(start)}(.*?)<!-- /edge-glass {re.escape(corpus)}( \w+)? -->"
    if there := re.search(pattern, text):
        if there[2] and there[2].strip() != _digest(there[1].strip()):
            raise DataError(
                f"{FILE}: the section between {start} and its end was edited by hand. Move what "
                "you wrote out of it and delete the section: it is written again"
            )
        return text[: there.start()] + section + text[there.end() :]
    return f"{text.rstrip()}\n\n{section}\n"


def _digest(text: str) -> str:
    return sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def _section(corpus: str, manifests: list[Manifest], drawn: Collection[str]) -> str:
    kind = catalog.variant_of(manifests[0], corpus, {}).kind
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(
        kind.card()
    )
    spec = kind.spec()
    tables = "\n".join([_tables(manifests), *_plots(manifests, drawn)])
    prose = template.render(tables=tables, spec=spec, manifests=manifests)
    title = f"[{spec.title}]({spec.homepage})" if spec.homepage else _cell(spec.title)
    return f"## {title}\n\n{prose.strip()}"


def _tables(manifests: list[Manifest]) -> str:
    rows = [
        "| config | split | rows | h:mm:ss | MB | source rows | dropped |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for made in manifests:
        for split, facts in made.splits.items():
            seconds = facts.figures.seconds
            drops = [f"{n} {reason}" for reason, n in sorted(facts.dropped.items())]
            cells = (
                made.config,
                split,
                f"{facts.rows:,}",
                "" if seconds is None else str(timedelta(seconds=round(seconds))),
                f"{facts.bytes / 1e6:.1f}",
                f"{facts.total:,}",
                ", ".join(drops) or "none",
            )
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, *_others(manifests), *_warnings(manifests), *_licences(manifests)])


def _plots(manifests: list[Manifest], drawn: Collection[str]) -> Iterable[str]:
    for name in (made.config for made in manifests):
        if name in drawn:
            yield f"\n![What `{name}` holds, and what became of its rows]({PLOTS}/{name}.png)"


def _others(manifests: list[Manifest]) -> Iterable[str]:
    """Sources that are not what upstream publishes."""
    for made in manifests:
        files = [used.file for used in made.sources if used.as_published is False]
        if files and not made.parameters.get("bundled"):
            names = ", ".join(map(_cell, files))
            yield f"\n`{made.config}` is **not upstream's data**: other checksums: {names}."


def _warnings(manifests: list[Manifest]) -> Iterable[str]:
    """What the ledger's details say of rows that are kept."""
    found = [
        f"| {made.config} | {split} | {_cell(kind)} | {rows:,} |"
        for made in manifests
        for split, facts in made.splits.items()
        for kind, rows in facts.warnings.items()
    ]
    if found:
        yield "\nNoted on rows that are kept (`detail` in the ledger):\n"
        yield "| config | split | note | rows |\n|---|---|---|--:|"
        yield from found


def _licences(manifests: list[Manifest]) -> Iterable[str]:
    """Licences of the rows of the largest config."""
    largest = max(manifests, key=lambda m: m.rows)
    if counts := largest.licences():
        yield f"\nLicences of the rows of `{largest.config}`:\n\n| licence | rows |\n|---|--:|"
        yield from (
            f"| {_cell(name) or 'not stated'} | {n:,} |" for name, n in sorted(counts.items())
        )


def _cell(text: str) -> str:
    """Text from outside, harmless in a Markdown table."""
    return re.sub(r"[|<>\n\r`\[\]]", " ", str(visible(text)))[:200]
