"""Show the dataset cards, which lie beside their recipes, as pages of the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

__all__ = ["on_files"]

DATASETS = Path(__file__).parents[2] / "datasets"


def on_files(files: Files, *, config: MkDocsConfig, **_: Any) -> Files:
    """Add `cards/<recipe>.md` for every recipe; called by MkDocs."""
    for card in sorted(DATASETS.glob("*/README.md")):
        page = f"cards/{card.parent.name}.md"
        # In the repository cards name one another by their folders, on the site they lie together.
        text = re.sub(r"\]\(\.\./(\w+)/README\.md\)", r"](\1.md)", card.read_text("utf-8"))
        files.append(File.generated(config, page, content=text))
    return files
