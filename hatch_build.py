"""What a package index shows of the project: its addresses, and the README with absolute links."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURES = (".gif", ".jpg", ".png", ".svg", ".webp")
LINK = re.compile(r"""(\]\(|src="|href=")(?![a-z]+:|#)([^)"\s]+)""")


class ProjectPage(MetadataHookInterface):
    """Fills in what depends on the address of the repository, which is in pyproject.toml alone."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the addresses and the long description."""
        repository = self.config["repository"]
        # A release shows the pages of its own tag.
        is_release = re.fullmatch(r"[\d.]+", metadata["version"])
        revision = f"v{metadata['version']}" if is_release else "main"
        metadata["urls"] = {
            "Homepage": repository,
            "Documentation": f"{repository}/tree/{revision}/docs",
            "Issues": f"{repository}/issues",
            "Changelog": f"{repository}/blob/{revision}/CHANGELOG.md",
        }
        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(text, repository, revision),
        }


def with_absolute_links(text: str, repository: str, revision: str) -> str:
    """Return a page of the repository with links that work on other sites, pictures included."""

    def absolute(match: re.Match[str]) -> str:
        before, path = match.groups()
        kind = "raw" if path.lower().endswith(PICTURES) else "blob"
        return f"{before}{repository}/{kind}/{revision}/{path}"

    return LINK.sub(absolute, text)
