"""Show the dataset cards, which lie beside their recipes, as pages of the site."""

from __future__ import annotations

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
        files.append(File.generated(config, page, content=card.read_text(encoding="utf-8")))
    return files
