from __future__ import annotations

import base64
import io
from itertools import pairwise

import numpy as np
from PIL import Image

from pdesurrogate.report.animation import animate
from pdesurrogate.report.gather import Example
from pdesurrogate.report.methods import Study
from tests.report.conftest import Mock

FIELD = "vorticity"


def _image(uri: str) -> Image.Image:
    prefix, _, content = uri.partition(",")
    assert prefix == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_every_predicted_frame_is_shown(mock: Mock) -> None:
    made = animate(Study.of(mock[0]), [Example(mock[1]["example_64"])], 64, FIELD)
    assert made is not None
    moving, still = _image(made.moving), _image(made.still)
    assert (moving.n_frames, still.n_frames) == (3, 1)
    assert moving.size == still.size == (made.width, made.height)
    frames = []
    for k in range(3):
        moving.seek(k)
        frames.append(np.asarray(moving.convert("RGB")).astype(int))
    assert all(np.abs(a - b).mean() > 1 for a, b in pairwise(frames))
    assert "the truth, MultiResNet projected" in made.alt
    assert "coarse solver 32" in made.alt


def test_a_broken_rollout_does_not_stop_the_others(mock: Mock) -> None:
    example = mock[1]["example_64"]
    late = {"run": "FNO", "lead_time": example["lead_time"].values[1:]}
    example["prediction"].loc[late] = np.nan
    made = animate(Study.of(mock[0]), [Example(example)], 64, FIELD)
    assert made is not None
    assert _image(made.moving).n_frames == 3


def test_long_names_and_no_examples(mock: Mock) -> None:
    root, examples = mock
    models = ["an endless name " * 12 if m == "FNO" else m for m in root["model"].values]
    study = Study.of(root.assign_coords(model=("run", models)))
    made = animate(study, [Example(examples["example_64"])], 64, FIELD)
    assert made is not None
    assert made.width < 1000
    assert animate(study, [], 64, FIELD) is None
