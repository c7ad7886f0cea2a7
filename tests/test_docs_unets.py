"""The code that the page *U-Nets* shows does what the page says."""

import re
from pathlib import Path

import pytest
import torch

PAGE = (Path(__file__).parent.parent / "docs" / "unets.md").read_text("utf-8")
SECTION = re.search(r"^## Built for a problem$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
assert SECTION is not None
EXAMPLES = re.findall(
    r"^### ([^\n]+)$|^```python\n(.*?)^```$", SECTION[1], re.MULTILINE | re.DOTALL
)


def examples() -> list[object]:
    """Each piece of code under the name of its heading."""
    found, heading = [], ""
    for title, code in EXAMPLES:
        heading = title or heading
        if code:
            found.append(pytest.param(code, id=heading))
    return found


@pytest.mark.parametrize("code", examples())
def test_example_runs(code: str) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    exec(compile(code, "docs/unets.md", "exec"), {})


def test_a_network_of_the_reader_keeps_the_promises() -> None:
    section = re.search(
        r"^## Design your own$.*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
    assert section is not None
    torch.set_num_threads(1)
    exec(compile(section[1], "docs/unets.md", "exec"), {"__name__": "my_package"})


def test_every_kind_of_problem_has_an_example() -> None:
    assert len(examples()) == 4


@pytest.mark.parametrize(
    "title", ["A finer level for a trained network", "A model that is extended"]
)
def test_a_trained_network_is_extended(title: str) -> None:
    section = re.search(rf"^### {title}$.*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    torch.manual_seed(0)
    torch.set_num_threads(1)
    exec(compile(section[1], "docs/unets.md", "exec"), {})
