"""Write what every named network answers: `python -m tests.models.make_golden_outputs`.

Run it when a network is meant to answer something else, and say why in the commit.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from tests.models.named_networks import NAMED, build, given

GOLDEN = Path(__file__).with_name("golden_outputs.json")


def corner(name: str) -> list[float]:
    """Both output channels at nine points."""
    with torch.no_grad():
        out = build(NAMED[name])(given())
    return [float(f"{value:.7g}") for value in out[0, :, ::7, ::7].flatten()]


if __name__ == "__main__":
    torch.set_num_threads(1)
    GOLDEN.write_text(json.dumps({name: corner(name) for name in NAMED}, indent=1) + "\n")
