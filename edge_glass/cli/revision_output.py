"""What the commands that change a dataset row by row say: withdrawals, purges, origins of a row."""

from typing import TYPE_CHECKING, Any

from edge_glass.cli.terminal import say
from edge_glass.core import units

if TYPE_CHECKING:
    from edge_glass.release.certificate import Certificate
    from edge_glass.release.purge import Purge


def withdrawn(done: "Certificate") -> None:
    """What a withdrawal did."""
    lines = [
        f"{name}: {config.rows} rows withdrawn, {len(config.changed)} files written anew, "
        f"{config.unchanged} as they were"
        for name, config in done.configs.items()
    ]
    extent = f"{done.search.files} files ({units.size(done.search.bytes)})"
    shared = {kind: n for kind, n in done.search.shared.items() if n}
    also = f"; rows that stay have some as well: {shared}" if shared else ""
    lines.append(f"Read {extent}: nothing of them is left{also}")
    if done.purged:
        size = units.size(done.purged.bytes)
        lines.append(f"Gone from the Hub: {', '.join(done.purged.tags)}, {size} of files")
        lines += [f"{ref} holds rows and stays" for ref in done.purged.left]
    if done.earlier_versions:
        lines.append(f"Earlier versions still hold them: {', '.join(done.earlier_versions)}")
    say("\n".join([*lines, *done.derived]))


def purge(plan: "Purge", done: bool = False) -> None:
    """What a purge removed, or would remove, and who would notice."""
    is_, were = ("is", "were") if done else ("would be", "would be")
    lines = [f"{tag}: {is_} gone; who loads it gets an error" for tag in plan.tags]
    lines.append(f"{len(plan.files)} files ({units.size(plan.bytes)}) {were} deleted for good")
    lines.append(f"the history of the main branch {is_} one commit: links to commits break")
    lines += [f"{ref}: holds rows and stays: merge, close or delete it" for ref in plan.left]
    say("\n".join(lines))


def origins(traced: list[dict[str, Any]]) -> None:
    """Where a row comes from."""
    for origin in traced:
        for name, value in origin.items():
            each = value if isinstance(value, list) else [value]
            if name == "consent":
                each = (
                    [_consent(**value)] if value["refused"] or origin["outcome"] == "kept" else []
                )
            for text in map(_words, each):
                if text:
                    say(f"{name}: {text}")


def _consent(refused: str | None, left_out: list[str] | None) -> str:
    met = f"refused: {refused}" if refused else "no refusal was met"
    return f"{met}, not looked at: {_words(left_out)}" if left_out else met


def _words(value: Any) -> str:
    """A value of JSON as a person says it; nothing of one that is empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        pairs = [(key, _words(each), isinstance(each, dict)) for key, each in value.items()]
        lines = [
            f"{key} ({said})" if inner else f"{key} {said}" for key, said, inner in pairs if said
        ]
        return ", ".join(lines)
    if isinstance(value, list | tuple):
        return " | ".join(filter(None, map(_words, value)))
    return "" if value is None else str(value)
