"""The completion script that docs/cli.md tells how to write."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
_shtab_pdesurrogate "$1" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}" 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str) -> str:
    command = [str(Path(sys.executable).with_name("pdesurrogate"))]
    return subprocess.run(
        [*command, f"--print_completion=shtab-{shell}"],
        env={**os.environ, "JSONARGPARSE_ADD_PRINT_COMPLETION_ARGUMENT": "true"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_and_values(tmp_path: Path) -> None:
    path = tmp_path / "completion.bash"
    path.write_text(script("bash"))

    def completed(*words: str) -> list[str]:
        command = ["bash", "-c", COMPLETE, "bash", str(path), "pdesurrogate", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert completed("gen") == ["generate"]
    assert completed("list", "mod") == ["models"]
    assert completed("train", "--resol") == ["--resolution"]
    assert completed("train", "--model.wi") == ["--model.width"]
    assert "pdesurrogate.models.MultiResNet" in completed("train", "--model", "")


def test_zsh_has_a_script_too() -> None:
    assert script("zsh").startswith("#compdef pdesurrogate")
