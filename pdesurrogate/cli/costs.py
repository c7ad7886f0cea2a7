"""What a model costs, in words or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from pdesurrogate.grids import Grid
from pdesurrogate.models import ModelSpec, count
from pdesurrogate.models.matching import Target, match
from pdesurrogate.models.user_code import answering_for, try_out
from pdesurrogate.models.user_model import described

__all__ = ["describe_cost"]


def describe_cost(
    spec: ModelSpec,
    grid: Grid,
    in_channels: int,
    out_channels: int,
    *,
    parameters: int | None = None,
    target: Target | None = None,
    value: int | None = None,
    as_json: bool = False,
) -> str:
    """Count and measure a model, after changing its width to a size if one is given.

    Args:
        spec: The model and its options.
        grid: The grid that one sample lies on.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        parameters: See `ModelSpec.build_measured`.
        target: What the width is to be searched for, together with `value`.
        value: How much of it.
        as_json: One JSON object instead of lines of text.

    Raises:
        ValueError: If the model cannot be built or not be matched, or a target lacks its value.
    """
    if min(in_channels, out_channels) < 1:
        raise ValueError(
            f"--in_channels and --out_channels must be at least 1, got {in_channels} and "
            f"{out_channels}"
        )
    if (target is None) != (value is None):
        raise ValueError("--target and --value go together: what is to be matched, and its size")
    if target is not None and value is not None:
        spec = match(
            spec,
            target=target,
            value=value,
            grid=grid,
            in_channels=in_channels,
            out_channels=out_channels,
            parameters=parameters,
        ).spec
    name, options = described(spec)
    with answering_for(spec, name):
        network = spec.build_measured(in_channels, out_channels, grid, parameters)
    try_out(spec, name, network, in_channels, out_channels, grid)
    with answering_for(spec, name):
        cost = asdict(count(network, grid, in_channels))
    facts = {"model": name, "options": options, **cost}
    return json.dumps(facts, indent=2) if as_json else _table(facts)


def _table(facts: dict) -> str:
    ny, nx = facts["num_points"]
    rows = {
        "model": facts["model"],
        **{name: _words(value) for name, value in facts["options"].items()},
        "grid": f"{ny} x {nx}, one sample",
        "parameters": f"{facts['parameters']:,}",
        "operations, forward": f"{facts['flops'] / 1e9:,.3f} GFLOP",
        "kept for backward": f"{facts['activation_bytes'] / 1e6:,.1f} MB",
        "forward": f"{facts['forward_seconds']:.3g} s",
        "forward and backward": f"{facts['training_seconds']:.3g} s",
        "measured on": f"{facts['device']}, threads: {facts['threads']}",
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows.items())


def _words(value: object) -> str:
    if isinstance(value, dict) and "class_path" in value:
        return str(value["class_path"])
    return str(value)
