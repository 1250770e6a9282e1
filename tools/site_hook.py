"""What the site has beyond docs/: the repository's address, and pages and links outside of it."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""File of the repository → page of the site."""

FIELDS = """# All fields of a recipe

Made from `nst.Recipe`. Each field is a keyword in Python, an option of the terminal with hyphens
(`--style-weight`), and a key in a recipe's JSON file. The defaults are those of `nst.Recipe()`; a
preset changes some of them. [Recipes](recipes.md) explains what belongs together.
"""

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
    files.append(File.generated(config, "recipe-fields.md", content=recipe_fields()))
    return files


def recipe_fields() -> str:
    """Return a page with a table of each section of the recipe."""
    sys.path.insert(0, str(ROOT / "src"))  # a recipe is plain data, and imports no package
    from napari_nst.recipe import CONTROLS, SECTIONS, Recipe

    recipe, lines = Recipe(), [FIELDS]
    for title, names in SECTIONS.items():
        lines += ["", f"## {title}", "", "| field | default | meaning |", "| --- | --- | --- |"]
        for name in names:
            control, value = CONTROLS[name], getattr(recipe, name)
            default = f"{value:g}" if isinstance(value, float) else control.text(value) or "empty"
            choices = ", ".join(f"`{choice}`" for choice in control.choices)
            meaning = f"{choices}. {control.help}" if choices else control.help
            lines.append(f"| `{name}` | {default} | {meaning} |")
    return "\n".join(lines)


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Let links to files outside docs/ lead to their pages, or into the repository."""

    def address(match: re.Match[str]) -> str:
        path = match[1]
        return f"]({PAGES.get(path) or f'{config.repo_url}/blob/main/{path}'}"

    return OUTSIDE.sub(address, markdown)
