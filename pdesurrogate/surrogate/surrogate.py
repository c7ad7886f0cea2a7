"""A surrogate: a trained network with everything that is needed to use it on labelled fields."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.conditioning import ConditionNormaliser, condition_values
from pdesurrogate.frame_rollout import rollout_frames
from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.part import Part
from pdesurrogate.naming import unknown_name
from pdesurrogate.surrogate.building import build_network
from pdesurrogate.surrogate.carrying import Carrying
from pdesurrogate.surrogate.files import read_surrogate, weights_of, write_surrogate
from pdesurrogate.surrogate.info import SurrogateInfo

__all__ = ["Surrogate"]


class Surrogate:
    r"""A network that steps physical fields: `state -> state`, as a solver does.

    With the last `history` frames $u_{1..h}$, the network $N$ and the training split's mean $\mu$,
    standard deviation $\sigma$ and standard deviation of the frame-to-frame change $\delta$, a step
    predicts the next `bundle` frames at once: for $j = 1, \dots, b$

    $$ u_{h+j} = u_h + \delta\, N_j\big((u - \mu) / \sigma\big)
       \quad\text{or}\quad u_{h+j} = \mu + \sigma\, N_j\big((u - \mu) / \sigma\big), $$

    the first when `info.predicts_change`. Every change is that from the last given frame, and is
    told in units of the change over one frame. The network sees the window flattened to
    `(batch, history * field, y, x)`, oldest frame first, followed by the conditions, if there are
    any: static fields, and parameters as constant channels. It answers with the bundle flattened to
    `(batch, bundle * field, y, x)`, oldest frame first. The grid is the given data's.

    With `info.carried` the network is also shown where the flow of the last frame takes it,
    $(S u_h - u_h) / \delta$ as the last channels, and the prediction begins there:
    $u_{h+1} = u_h + \beta\,(S u_h - u_h) + \delta N$.

    Args:
        module: From `(batch, info.in_channels, y, x)` to `(batch, info.out_channels, y, x)`,
            normalised.
        info: What the module was trained on and how.

    References:
        Brandstetter, Worrall & Welling (2022), *Message Passing Neural PDE Solvers*, §3.1, on the
        temporal bundling.
    """

    def __init__(self, module: nn.Module, info: SurrogateInfo) -> None:
        self.module = module
        self.info = info
        device = next(iter(module.parameters()), torch.empty(0)).device
        self._mean, self._std, self._change_std = (
            torch.tensor(moment, dtype=torch.float32, device=device)[:, None, None]
            for moment in (
                info.statistics.mean,
                _positive(info.statistics.std),
                _positive(info.statistics.change_std),
            )
        )
        self._carrying = None if info.carried is None else Carrying(info, info.carried, device)
        self._normalised_conditions = ConditionNormaliser(info.conditioning, device=self.device)

    @property
    def change_std(self) -> Float[Tensor, "field 1 1"]:
        """Each field's standard deviation of the change over one frame; 1 for a constant field."""
        return self._change_std

    def normalised(
        self, u: Float[Tensor, "*lead channel y x"]
    ) -> Float[Tensor, "*lead channel y x"]:
        """Fields as the network is given them."""
        return (u - self._mean) / self._std

    def in_units(self, u: Float[Tensor, "*lead channel y x"]) -> Float[Tensor, "*lead channel y x"]:
        """Fields in physical units again; undoes `normalised`."""
        return self._mean + self._std * u

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._mean.device

    def to(self, device: torch.device | str) -> Surrogate:
        """The same surrogate on another device. The module itself is moved, as `Module.to` does."""
        return Surrogate(self.module.to(device), self.info)

    def step(
        self,
        window: Float[Tensor, "batch time channel y x"],
        moved: Float[Tensor, "batch field y x"] | None = None,
    ) -> Float[Tensor, "batch latest channel y x"]:
        """Advance by `bundle` frames: the oldest leave the window, the predicted ones join it.

        Differentiable: wrap it in `torch.no_grad()` unless gradients are wanted. (A surrogate
        that was loaded, or returned by training, has its parameters frozen.)

        Args:
            window: Frames in physical units, oldest first: the last `history` of them count.
                Channels are the fields, then the conditions, which the new frames take over from
                the last one.
            moved: $S u - u$ of the last frame for a surrogate that is shown it, where it is known
                better than from the window: on a finer grid, restricted to this one.

        Returns:
            The latest `max(history, bundle)` frames, the predicted ones last.
        """
        bundle, num_fields = self.info.bundle, len(self.info.fields)
        window = window[:, -self.info.history :]
        fields, conditions = window.tensor_split([num_fields], dim=2)
        told = conditions[:, -1]
        predicted = self.predict(fields, self._normalised_conditions(told), moved)
        frames = torch.cat([predicted, told[:, None].expand(-1, bundle, -1, -1, -1)], dim=2)
        return torch.cat([window[:, bundle:], frames], dim=1)

    def predict(
        self,
        fields: Float[Tensor, "batch time channel y x"],
        conditions: Float[Tensor, "batch condition y x"],
        moved: Float[Tensor, "batch field y x"] | None = None,
    ) -> Float[Tensor, "batch bundle channel y x"]:
        """The frames that follow a window, for who holds normalised conditions.

        Args:
            fields: The last `history` frames in physical units.
            conditions: What the network is told besides, as it is told it.
            moved: As for `step`.

        Raises:
            ValueError: If `moved` is given to a surrogate that is not shown it.
        """
        if self._carrying is None and moved is not None:
            raise ValueError(
                f"{self.info.name} is not shown transport: a step takes no change by it"
            )
        if moved is None:
            moved = self._carried_change(fields[:, -1])
        output = self.module(self._channels(fields, conditions, moved))
        output = output.unflatten(1, (self.info.bundle, len(self.info.fields)))
        if self.info.predicts_change:
            return self._beginning(fields[:, -1:], moved) + self._change_std * output
        return self._mean + self._std * output

    def network_target(
        self,
        window: Float[Tensor, "batch time channel y x"],
        following: Float[Tensor, "batch bundle channel y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """What the module would have to answer for a step to end in given frames.

        Args:
            window: As for `step`.
            following: The frames after it that one step predicts, with the same channels.
        """
        last, frames = (part[:, :, : len(self.info.fields)] for part in (window[:, -1:], following))
        if self.info.predicts_change:
            last = self._beginning(last, self._carried_change(last[:, 0]))
            return ((frames - last) / self._change_std).flatten(1, 2)
        return ((frames - self._mean) / self._std).flatten(1, 2)

    def rollout(self, given: xr.Dataset, num_steps: int, *, batch_size: int = 16) -> xr.Dataset:
        """Forecast from the last frames of a dataset.

        Args:
            given: The surrogate's fields over `(trajectory, time, y, x)`, on a sphere over
                `(trajectory, time, latitude, longitude)`, at least `history` frames, on any grid of
                that kind that the model allows. Without `trajectory` it is one. What the
                surrogate is conditioned on stands beside them: static fields over `(trajectory, y,
                x)` or `(y, x)`, parameters along `trajectory` or as single numbers, as variables or
                coordinates.
            num_steps: Frames to predict.
            batch_size: Trajectories that are stepped at once; it bounds the memory.

        Returns:
            The predicted frames only, with the dimensions of `given`. `time` continues where
            `given` ended and `lead_time` counts from there.

        Raises:
            ValueError: If a field or condition is missing, there are too few frames, or their
                spacing in time or the domain's extent is not what the surrogate was trained on.
        """
        if num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {num_steps}")
        given = self._checked(given)
        windows, num_fields = self._windows(given), len(self.info.fields)
        was_training = self.module.training
        self.module.eval()
        with torch.no_grad():
            predicted = torch.cat(
                [
                    torch.stack(
                        [
                            frame[:, :num_fields].cpu()
                            for frame in rollout_frames(
                                self.step, batch.to(self.device), num_steps, self.info.bundle
                            )
                        ],
                        dim=1,
                    )
                    for batch in windows.split(batch_size)
                ]
            )
        self.module.train(was_training)
        return self._labelled(predicted.numpy(), given)

    def network_inputs(self, given: xr.Dataset) -> Float[Tensor, "trajectory c_in y x"]:
        """What the module is applied to when it steps from the last frames of a dataset.

        For looking inside: `residual_energy(surrogate.module, surrogate.network_inputs(given))`.

        Args:
            given: As for `rollout`.

        Raises:
            ValueError: As `rollout` does.
        """
        window = self._windows(self._checked(given)).to(self.device)
        fields, conditions = window.tensor_split([len(self.info.fields)], dim=2)
        told = self._normalised_conditions(conditions[:, -1])
        return self._channels(fields, told, self._carried_change(fields[:, -1]))

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write `model.safetensors` and `surrogate.json`.

        Each file appears under its name only when complete. The description holds the weights'
        SHA-256, so that files of two surrogates are never taken for one.

        Args:
            directory: Created if absent; other files in it are left alone.
        """
        write_surrogate(self.module, self.info, directory)

    @property
    def weights_sha256(self) -> str:
        """Checksum of the weights as `save` writes them."""
        return hashlib.sha256(weights_of(self.module)).hexdigest()

    @classmethod
    def load(
        cls,
        directory: str | os.PathLike[str],
        *,
        specs: Sequence[type[ModelSpec | Part | nn.Module]] = (),
    ) -> Surrogate:
        """Read a surrogate that `save` wrote, or a finished training run. Runs no code from it.

        Args:
            directory: Holds `model.safetensors` and `surrogate.json`.
            specs: Model specs, their parts and networks of your own that may be built, besides
                those that `pdesurrogate.models` exports.

        Returns:
            The surrogate on the CPU, in evaluation mode, its parameters frozen.

        Raises:
            FileNotFoundError: If the directory or one of the files is absent.
            ValueError: If a file is foreign or damaged, or names an unknown model.
        """
        module, info = read_surrogate(
            directory, lambda info, path: build_network(info, specs, str(path))
        )
        return cls(module, info)

    @classmethod
    def untrained(
        cls,
        info: SurrogateInfo,
        seed: int,
        *,
        specs: Sequence[type[ModelSpec | Part | nn.Module]] = (),
    ) -> Surrogate:
        """The same network with the same normalisation before it has learned anything.

        Args:
            info: What the trained surrogate is known by.
            seed: Of the initial weights. PyTorch's own random state is left as it is.
            specs: As for `load`.

        Returns:
            A surrogate on the CPU, in evaluation mode, its parameters frozen.

        Raises:
            ValueError: If the model is unknown or not allowed.
        """
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            module = build_network(info, specs, info.name)
        untrained = replace(info, seed=seed, epochs=0, training_seconds=0.0)
        return cls(module.eval().requires_grad_(False), untrained)

    def _channels(self, fields: Tensor, told: Tensor, moved: Tensor | None) -> Tensor:
        """What the network sees: the frames of a window, normalised, and what it is told."""
        channels = [self.normalised(fields).flatten(1, 2), told]
        if moved is not None:
            channels.append(moved / self._change_std)
        return torch.cat(channels, dim=1)

    def _carried_change(
        self, u: Float[Tensor, "batch channel y x"]
    ) -> Float[Tensor, "batch channel y x"] | None:
        """$S u - u$, if the network is shown it."""
        return None if self._carrying is None else self._carrying.change(u)

    def _beginning(
        self, last: Float[Tensor, "batch 1 channel y x"], moved: Tensor | None
    ) -> Float[Tensor, "batch 1 channel y x"]:
        """The frame that predicted changes are added to."""
        if self._carrying is None or moved is None:
            return last
        return last + self._carrying.shares * moved[:, None]

    @property
    def _dimensions(self) -> tuple[str, ...]:
        return ("trajectory", "time", *self.info.training_grid.dimensions)

    def _checked(self, given: xr.Dataset) -> xr.Dataset:
        """The last `history` frames, dimensions in order, once they are known to fit."""
        info = self.info
        for name in info.field_names:
            if name not in given:
                raise ValueError(unknown_name("field", name, given.data_vars))
        conditions = [name for name in info.condition_names if name in given.variables]
        given = given[[*info.field_names, *conditions]]
        if "trajectory" not in given.dims:
            given = given.expand_dims("trajectory")
        dims = self._dimensions
        if set(given.dims) != set(dims):
            raise ValueError(f"the data must have dimensions {dims}, got {tuple(given.dims)}")
        if given.sizes["time"] < info.history:
            raise ValueError(
                f"the surrogate needs {info.history} given frames, "
                f"the data hold {given.sizes['time']}"
            )
        steps = np.diff(given["time"].values[-max(info.history, 2) :])
        if not np.allclose(steps, info.time_step, rtol=1e-3, atol=0):
            raise ValueError(
                f"the surrogate steps by {info.time_step:g} in time, "
                f"the frames given are {steps[0]:g} apart"
            )
        _check_points(given, info.training_grid)
        return given.isel(time=slice(-info.history, None)).transpose(*dims)

    def _windows(self, given: xr.Dataset) -> Float[Tensor, "trajectory time channel y x"]:
        """Fields and conditions of checked data as channels."""
        names, conditions = self.info.field_names, self.info.conditioning
        trajectories, *frame = (given.sizes[dim] for dim in self._dimensions)
        channels = len(names) + len(conditions)
        out = np.empty((trajectories, frame[0], channels, *frame[1:]), np.float32)
        for channel, name in enumerate(names):
            out[:, :, channel] = given[name].values
        out[:, :, len(names) :] = condition_values(
            given, conditions, self.info.training_grid.dimensions
        )[:, None]
        return torch.from_numpy(out)

    def _labelled(
        self, predicted: Float[np.ndarray, "trajectory time channel y x"], given: xr.Dataset
    ) -> xr.Dataset:
        """Predicted frames as a dataset that continues `given`."""
        dims = self._dimensions
        lead_time = self.info.time_step * np.arange(1, predicted.shape[1] + 1)
        time_attrs = given["time"].attrs
        lead_attrs = {"long_name": "time since the last given frame"}
        if "units" in time_attrs:
            lead_attrs["units"] = time_attrs["units"]
        variables = {}
        for channel, field in enumerate(self.info.fields):
            attrs = {"units": field.units, "long_name": field.long_name}
            if field.standard_name is not None:
                attrs["standard_name"] = field.standard_name
            variables[field.name] = (dims, predicted[:, :, channel], attrs)
        timeless = given.isel(time=-1, drop=True).coords
        return xr.Dataset(
            variables,
            coords={
                **timeless,
                "time": ("time", given["time"].values[-1] + lead_time, time_attrs),
                "lead_time": ("time", lead_time, lead_attrs),
            },
            attrs={"surrogate": self.info.name, "dataset": self.info.dataset},
        )


def _positive(moments: Sequence[float]) -> list[float]:
    """A field that never changes is divided by 1, not by 0."""
    return [moment if moment > 0 else 1.0 for moment in moments]


def _check_points(given: xr.Dataset, trained: Grid) -> None:
    """Refuse points, where the data say them, that are not of the domain of the training grid."""
    if isinstance(trained, GaussianSphere):
        _check_sphere(given, trained)
        return
    for axis, extent in zip(trained.dimensions, trained.domain_extent, strict=True):
        found = _extent(given, axis)
        if found is not None and not np.isclose(found, extent, rtol=1e-3):
            raise ValueError(
                f"the surrogate was trained on a domain of extent {extent:g} along {axis}, "
                f"the data's is {found:g}"
            )


def _check_sphere(given: xr.Dataset, trained: GaussianSphere) -> None:
    latitudes, longitudes = (given.sizes[dim] for dim in trained.dimensions)
    grid = replace(trained, num_points=(latitudes, longitudes))
    for name, points, _ in grid.coordinates("m").values():
        if name in given.coords and not np.allclose(given[name].values, points, atol=1e-2):
            found = given[name].values
            raise ValueError(
                f"the surrogate knows the points of a Gaussian grid, whose {name}s run from "
                f"{points[0]:.2f} to {points[-1]:.2f} degrees; the data's run from {found[0]:.2f} "
                f"to {found[-1]:.2f}"
            )


def _extent(given: xr.Dataset, axis: str) -> float | None:
    """Length of the domain along an axis, from its equidistant points."""
    if axis not in given.coords or given.sizes[axis] < 2:
        return None
    points = given[axis].values
    return float((points[-1] - points[0]) * len(points) / (len(points) - 1))
