"""What the site has beyond docs/: the repository's address, and pages and links outside of it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""File of the repository → page of the site."""

OUTSIDE = re.compile(r"\]\(\.\./([^)\s]+)")
INTO_DOCS = re.compile(r"\]\(docs/([^)\s]+)")


def on_config(config: Any) -> Any:
    """Take the repository's address from pyproject.toml, the only place that names the owner."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    address = project["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    owner, name = address.split("/")[-2:]
    config.repo_url, config.repo_name = address, name
    config.site_url = f"https://{owner.lower()}.github.io/{name}/"
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text("utf-8")
        files.append(File.generated(config, page, content=INTO_DOCS.sub(r"](\1", text)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Let links to files outside docs/ lead to their pages, or into the repository."""

    def address(match: re.Match[str]) -> str:
        path = match[1]
        return f"]({PAGES.get(path) or f'{config.repo_url}/blob/main/{path}'}"

    return OUTSIDE.sub(address, markdown)
