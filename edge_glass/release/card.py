"""The README of a dataset: what every config holds, in figures taken from the builds."""

import re
from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import yaml
from huggingface_hub import DatasetCard, DatasetCardData, constants

from edge_glass.core import ledger, manifest
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.columns import media_kinds
from edge_glass.core.errors import DataError
from edge_glass.core.manifest import EDITS, Manifest
from edge_glass.core.names import PLOTS
from edge_glass.core.row import JsonObject
from edge_glass.core.spec import Spec
from edge_glass.corpora import catalog
from edge_glass.release import card_section
from edge_glass.release.card_section import Example
from edge_glass.vectors import alignment

FILE = "README.md"
SEALS = "edge_glass_manifests"  # of its header
MANY = 4  # corpora: a card of so many has a list of contents
ALIGNED = "<!-- edge-glass-alignment -->", "<!-- /edge-glass-alignment -->"
CONTENTS = "<!-- edge-glass-contents -->", "<!-- /edge-glass-contents -->"
SECTION = re.compile(r"<!-- edge-glass [^\n]+ -->\n## (?:\[(.+?)\]\(|(.+))")
SEAL_LINE = re.compile(r"^(\S+): sha256 of its manifest ([0-9a-f]{64})$", re.MULTILINE)
LESS = [10**n for n in range(3, 13)]
_NAMES = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
SIZES = [  # as the Hub writes them: n<1K, 1K<n<10K, …, n>1T
    f"n<{_NAMES[0]}",
    *(f"{low}<n<{high}" for low, high in pairwise(_NAMES)),
    f"n>{_NAMES[-1]}",
]
HEAD = """# {name}

Built with Edge Glass: self-contained Parquet with the media inside, and for each config a ledger
of every source row, kept or dropped and why.

```python
from datasets import load_dataset

ds = load_dataset("{repo}", "{config}")  # to decode sound it wants torchcodec, pictures Pillow
rows = load_dataset("{repo}", "{config}_ledger", split="ledger")  # what became of each source row
```
"""


def write(out: Path, shards: Path | None = None) -> None:
    """Write `out/README.md` over all that is built, so that `load_dataset(out, config)` works.

    `shards`: the folder that has the folders of shards, if it is another one.
    """
    manifests = [manifest.read(folder) for folder in manifest.built(out).values()]
    plots = {path.stem for path in (out / PLOTS).glob("*.png")}
    rows = {m.config: card_section.example((shards or out) / m.config, m) for m in manifests}
    aligned = alignments(out / m.config for m in manifests)
    text = render(manifests, str(out.name), None, plots, rows, aligned)
    with AtomicFile(out / FILE) as file:
        file.write(text.encode())


def render(
    manifests: list[Manifest],
    repo: str,
    previous: str | None,
    plots: Collection[str] = (),
    examples: Mapping[str, Example] | None = None,
    aligned: str = "",
) -> str:
    """The card that lists `manifests`; everything else that `previous` says stays.

    `manifests` holds every config of the corpora in question that the repository will have, `plots`
    the names of those that have a picture in `PLOTS` beside the card, `examples` a row of configs;
    of others that of `previous` stays as long as the manifest is the same; `aligned` is the section
    about columns that align.
    Raises EdgeGlassError if the header of `previous` cannot be read.
    """
    head = HEAD.format(name=repo.rpartition("/")[2], repo=repo, config=manifests[0].config)
    data, text = _parts(previous) if previous else ({}, head)
    configs = _by_name(data.get("configs"))
    default = next((name for name, config in configs.items() if config.get("default")), None)
    configs |= _by_name([entry for m in manifests for entry in _configs(m)])
    for name in (f"{m.config}_edits" for m in manifests if not _is_amended(m)):
        configs.pop(name, None)
    _set_default(configs, default, {m.corpus for m in manifests})
    infos = _by_name(data.get("dataset_info")) | _by_name([_info(m) for m in manifests])
    data |= {"configs": [*configs.values()], "dataset_info": [*infos.values()]}
    data[SEALS] = seals(data) | {m.config: m.seal for m in manifests}
    _describe(data, manifests, repo)
    for corpus in dict.fromkeys(m.corpus for m in manifests):
        ours = [m for m in manifests if m.corpus == corpus]
        text = _replace(text, corpus, ours, plots, examples or {})
    if aligned:
        start, end = ALIGNED
        text = f"{_without(text, ALIGNED).strip()}\n\n{start}\n{aligned}\n{end}\n"
    text = _with_contents(text)
    return f"---\n{DatasetCardData(**data).to_yaml(line_break=None)}\n---\n{text.strip()}\n"


def alignments(folders: Iterable[Path]) -> str:
    """What `align` said of builds, as a section; empty if it was never asked."""
    return card_section.alignments(each for folder in folders for each in alignment.noted(folder))


def seals(data: JsonObject) -> dict[str, str]:
    """Config -> sha256 of its manifest, as the header of a card has them."""
    known = data.get(SEALS)
    return known if isinstance(known, dict) else {}


def sealed(readme: str) -> dict[str, str]:
    """Config -> sha256 of its manifest, as a card has them; raises EdgeGlassError as `render`."""
    return seals(_parts(readme)[0])


def resealed(readme: str, manifests: Iterable[Manifest]) -> str:
    """A card with the seals that these manifests have, where it has others."""
    stale = sealed(readme)
    for build in manifests:
        readme = readme.replace(stale.get(build.config, build.seal), build.seal)
    return readme


def title(readme: str) -> str:
    """What a card has as its first title; empty if there is none."""
    match = re.search(r"(?m)^# (.+)$", _parts(readme)[1])
    return match[1] if match else ""


def seal_lines(manifests: Iterable[Manifest]) -> str:
    """What the commit and the tag of a version say of its manifests."""
    return "\n".join(f"{m.config}: sha256 of its manifest {m.seal}" for m in manifests)


def pushed_seals(messages: Iterable[str]) -> dict[str, str]:
    """Config -> sha256 of its manifest, out of messages of commits; the last ones count."""
    return {name: seal for text in messages for name, seal in SEAL_LINE.findall(text)}


def doi(readme: str | None) -> str | None:
    """The DOI that the header of a card gives, as the Hub or its authors have put it there."""
    value = _parts(readme)[0].get("doi") if readme else None
    return str(value).removeprefix("https://doi.org/") if value else None


def _parts(previous: str) -> tuple[JsonObject, str]:
    """The header of a card, and its text."""
    try:
        card = DatasetCard(previous)
        return card.data.to_dict(), card.text  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())
        raise DataError(f"{FILE}: its header cannot be read: {what}. Mend it first") from None


def _by_name(entries: Any) -> dict[str, JsonObject]:
    """Entries of a header by their config's name, which may be left out of an only one."""
    entries = entries if isinstance(entries, list) else [*filter(None, [entries])]
    if wrong := [entry for entry in entries if not isinstance(entry, dict)]:
        raise DataError(f"{FILE}: its header lists {wrong[0]!r} as a config. Mend it first")
    return {entry.get("config_name", "default"): entry for entry in entries}


def _configs(build: Manifest) -> Iterable[JsonObject]:
    """The config and its ledger's; `datasets` fails to load splits and configs without a row."""
    files = [
        {
            "split": split,
            "path": f"{build.config}/{split}-*-of-{len(facts.shards):05d}.parquet",
        }
        for split, facts in build.splits.items()
        if facts.rows
    ]
    if files:
        yield {"config_name": build.config, "data_files": files}
    tables = {"ledger": ledger.FILE} | ({"edits": EDITS} if _is_amended(build) else {})
    for name, file in tables.items():
        files = [{"split": name, "path": f"{build.config}/{file}"}]
        yield {"config_name": f"{build.config}_{name}", "data_files": files}


def _is_amended(build: Manifest) -> bool:
    return EDITS in (table.file for table in build.tables)


def _set_default(configs: dict[str, JsonObject], default: str | None, corpora: set[str]) -> None:
    """The default stays what it was; if there was none, it is the first corpus's full config."""
    full = sorted(configs.keys() & (catalog.corpora().keys() | corpora))
    for name in [default] if default else full[:1]:
        configs[name]["default"] = True


def _info(build: Manifest) -> JsonObject:
    features = datasets.Features.from_dict(build.features)
    splits = [
        {"name": split, "num_bytes": facts.bytes, "num_examples": facts.rows}
        for split, facts in build.splits.items()
        if facts.rows
    ]
    size = sum(facts.bytes for facts in build.splits.values() if facts.rows)
    # `datasets` before 3.2 knows no videos, and a README that names one spoils all configs for it
    readable = not any(isinstance(feature, datasets.Video) for feature in features.values())
    columns = {"features": _older(features._to_yaml_list())} if readable else {}
    return {
        "config_name": build.config,
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


def _describe(data: JsonObject, manifests: list[Manifest], repo: str) -> None:
    """The header's facts, in the Hub's words; what it has already stays, but for the sizes."""
    specs = catalog.specs(manifests)
    kinds = [kind for m in manifests for kind, _ in media_kinds(m.features).values()]
    for key, values in (
        ("language", [x for spec in specs for x in spec.languages]),
        ("task_categories", [x for spec in specs for x in spec.tasks]),
        ("annotations_creators", [x for spec in specs for x in spec.annotations_creators]),
        ("source_datasets", [x for spec in specs for x in spec.source_datasets]),
        ("tags", ["edge-glass", *kinds]),
        ("license", [spec.licence_tag for spec in specs]),
    ):
        known = data.get(key) or []
        known = [known] if isinstance(known, str) else known
        if merged := [*dict.fromkeys([*known, *values])]:
            data[key] = merged
    if sizes := sorted({n for n in map(_size, data["dataset_info"]) if n is not None}):
        data["size_categories"] = [SIZES[size] for size in sizes]
    if others := [spec for spec in specs if spec.licence_tag == "other"]:
        _name_licence(data, others, repo)
    data.setdefault("pretty_name", "Edge Glass")


def _size(info: JsonObject) -> int | None:
    """The number of a config's category of size."""
    splits = info.get("splits") or []
    rows = sum(split.get("num_examples") or 0 for split in splits)
    return next((n for n, most in enumerate(LESS) if rows < most), len(LESS)) if splits else None


def _name_licence(data: JsonObject, specs: list[Spec], repo: str) -> None:
    """The Hub wants a name and an address of what is none of the licences that it knows.

    Those that somebody wrote stay, and so do those of the only corpus that has such a licence.
    """
    known = data.get("license_link")
    ours = {str(catalog.spec(name).homepage) for name in catalog.corpora()}
    own = str(specs[0].homepage or "")
    if len(specs) == 1 and own and known in (None, own):
        name, link = specs[0].title, own
    elif known is None or known in ours:
        name, link = "each corpus has its own", f"{constants.ENDPOINT}/datasets/{repo}"
        link = link if "/" in repo else own  # a folder has no page
    else:
        return
    data["license_name"] = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
    data["license_link"] = link or "LICENSE"


def _without(text: str, marks: tuple[str, str]) -> str:
    start, end = map(re.escape, marks)
    return re.sub(rf"(?s){start}.*?{end}\n*", "", text)


def _with_contents(text: str) -> str:
    """The text, with links to its sections where there are many."""
    start, end = CONTENTS
    text = _without(text, CONTENTS)
    titles = [first or second for first, second in SECTION.findall(text)]
    if len(titles) < MANY:
        return text
    anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
    links = "\n".join(f"- [{t}](#{a})" for t, a in zip(titles, anchors, strict=True))
    first = text.index("<!-- edge-glass ")
    return f"{text[:first]}{start}\n## Contents\n\n{links}\n{end}\n\n{text[first:]}"


def _replace(
    text: str,
    corpus: str,
    manifests: list[Manifest],
    plots: Collection[str],
    examples: Mapping[str, Example],
) -> str:
    start = f"<!-- edge-glass {corpus} -->"
    rows = {m.config: card_section.example_in(text, m) for m in manifests} | {**examples}
    said = card_section.render(corpus, manifests, plots, rows).strip()
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
    """Of a section as its author sees it: seals of manifests are another check's."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "", text)
    return sha256(" ".join(text.split()).encode()).hexdigest()[:16]
