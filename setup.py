"""What pyproject.toml cannot say: the text for the package index, where README.md stands alone."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)]+)\)")


def description() -> str:
    """README.md with links to the repository that pyproject.toml names, or as plain text."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    home = project.get("urls", {}).get("Repository", "").rstrip("/")

    def link(match: re.Match[str]) -> str:
        picture, text, path = match.groups()
        if not home:
            return "" if picture else text
        kind = "raw" if picture else "blob"
        return f"{picture}[{text}]({home}/{kind}/v{project['version']}/{path})"

    return LINK.sub(link, (ROOT / "README.md").read_text(encoding="utf-8"))


setup(long_description=description(), long_description_content_type="text/markdown")
