"""A surrogate as two files: what it is, and its weights."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as serialise_tensors
from torch import Tensor, nn

from pdesurrogate.files import write_atomically
from pdesurrogate.surrogate.info import SurrogateInfo

__all__ = ["read_info", "read_surrogate", "weights_of", "write_surrogate"]

DESCRIPTION, WEIGHTS = "surrogate.json", "model.safetensors"


def weights_of(module: nn.Module) -> bytes:
    """The content of `model.safetensors`."""
    state = {name: value.cpu().contiguous() for name, value in module.state_dict().items()}
    return serialise_tensors({name: _as_real(value) for name, value in state.items()})


def write_surrogate(
    module: nn.Module, info: SurrogateInfo, directory: str | os.PathLike[str]
) -> None:
    """Write `model.safetensors` and `surrogate.json`; see `Surrogate.save`."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    weights = weights_of(module)
    description = {**info.to_dict(), "weights_sha256": hashlib.sha256(weights).hexdigest()}
    write_atomically(directory / WEIGHTS, weights)
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    write_atomically(directory / DESCRIPTION, text.encode())


def read_info(directory: str | os.PathLike[str]) -> SurrogateInfo:
    """What a surrogate is, without its network, of whichever kind.

    Raises:
        FileNotFoundError: If there is no description in the directory.
        ValueError: If it or the weights are damaged.
    """
    info, checksum = _described(Path(directory))
    _read_weights(Path(directory), checksum)
    return info


def read_surrogate(
    directory: str | os.PathLike[str], build: Callable[[SurrogateInfo, Path], nn.Module]
) -> tuple[nn.Module, SurrogateInfo]:
    """Read what `write_surrogate` wrote.

    Args:
        directory: Holds both files.
        build: Makes the untrained network that a description is about, given where that lies;
            raises a `ValueError` that names the place if there is no such network.

    Returns:
        The network on the CPU, in evaluation mode, its parameters frozen, and what it is.

    Raises:
        FileNotFoundError: If the directory or one of the files is absent.
        ValueError: If a file is foreign or damaged, or names an unknown model.
    """
    directory = Path(directory)
    info, checksum = _described(directory)
    module = build(info, directory / DESCRIPTION)
    weights = _read_weights(directory, checksum)
    _fill(module, load_tensors(weights), directory / WEIGHTS)
    return module.eval().requires_grad_(False), info


def _described(directory: Path) -> tuple[SurrogateInfo, str]:
    """What is saved in a directory, and the checksum of its weights."""
    path = directory / DESCRIPTION
    try:
        description = json.loads(_read(path))
        return SurrogateInfo.from_dict(description), str(description.get("weights_sha256"))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{path} does not describe a surrogate: {error}") from error


def _read_weights(directory: Path, checksum: str) -> bytes:
    weights = _read(directory / WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != checksum:
        raise ValueError(
            f"{directory / WEIGHTS} is damaged or of another surrogate: "
            f"its checksum is not the one in {DESCRIPTION}"
        )
    return weights


@torch.no_grad()
def _fill(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Put the saved tensors into the module."""
    expected = module.state_dict()
    strangers = sorted(expected.keys() ^ tensors.keys())
    if strangers:
        raise ValueError(f"{path} does not fit the model: tensor {strangers[0]!r} is not in both")
    for name, value in expected.items():
        found = tensors[name]
        if _as_real(value).shape != found.shape:
            raise ValueError(f"{path} does not fit the model: tensor {name!r} has another shape")
        value.copy_(torch.view_as_complex(found) if value.is_complex() else found)


def _as_real(tensor: Tensor) -> Tensor:
    """Complex numbers as pairs: the weights' format knows only real ones."""
    return torch.view_as_real(tensor).contiguous() if tensor.is_complex() else tensor


def _read(path: Path) -> bytes:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {path.parent} holds no finished surrogate")
    return path.read_bytes()
