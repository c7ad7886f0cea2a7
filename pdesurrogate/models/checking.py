"""What every model promises, checked on any model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load as load_tensors
from safetensors.torch import save as serialise_tensors
from torch import Tensor, nn

from pdesurrogate.grids import ClosedBox, Grid, PeriodicBox
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.models.user_code import answering_for
from pdesurrogate.models.user_model import UserModel, described
from pdesurrogate.transfer import restrict

__all__ = ["Verdict", "check_model"]

TOLERANCE = 1e-4
"""Relative to the largest value: float32 through some tens of layers."""


_NO_TENSOR = "not a tensor but a "


@dataclass(frozen=True)
class Verdict:
    """What one check found.

    Args:
        check: What is promised.
        is_kept: Whether the model keeps it; None where the check is for information.
        finding: What was found, with numbers.
    """

    check: str
    is_kept: bool | None
    finding: str


def check_model(
    model: ModelSpec | type[nn.Module],
    *,
    in_channels: int = 3,
    out_channels: int = 2,
    resolution: int = 32,
    seed: int = 0,
    parameters: int | None = None,
) -> list[Verdict]:
    """Hold a model to what every model here promises, on periodic grids and in evaluation mode.

    Promised are: other grids, square or not, with the same weights; finite and reproducible
    outputs; an input that is left alone; a gradient for every parameter that is not frozen; parts
    that all have a say (both with noise on the weights, since a head may start at zero); samples
    that do not mix; weights that survive a file; and an output that moves along with the input
    along periodic directions, by shifts that the network's strides allow. A network that pads
    with zeros breaks the last promise: the edge of a periodic domain leaks into it.

    Three verdicts are for information: whether a constant stays constant, how little the answer to
    a smooth field depends on the grid, and whether the network is told how fields go on at edges.

    Args:
        model: Options, or a network's class made from `in_channels` and `out_channels`.
        in_channels: Channels of the inputs to try.
        out_channels: Channels of the outputs.
        resolution: Points per side of the grid; half as many more and twice as many are tried too.
        seed: Of weights and inputs.
        parameters: See `ModelSpec.build_measured`.

    Returns:
        One verdict a check. A check that the network breaks down in is not kept.

    Raises:
        ValueError: If the network cannot be built at all.
    """
    spec = model if isinstance(model, ModelSpec) else UserModel.of(model)
    with torch.random.fork_rng([]):
        told = spec.least_parameters if parameters is None else parameters
        subject = _Subject(spec, in_channels, out_channels, resolution, seed, told)
        subject.network()
        first = _verdict("gives a tensor of its input's type", _gives_a_tensor, subject)
        if first.finding.startswith(_NO_TENSOR):
            return [first]
        promises = [_verdict(name, check, subject) for name, check in _PROMISES.items()]
        known = [_verdict(name, check, subject) for name, check in _INFORMATION.items()]
    return [first, *promises] + [replace(verdict, is_kept=None) for verdict in known]


@dataclass(frozen=True)
class _Subject:
    """The model under examination."""

    spec: ModelSpec
    in_channels: int
    out_channels: int
    resolution: int
    seed: int
    parameters: int

    @property
    def grid(self) -> Grid:
        return PeriodicBox((self.resolution, self.resolution))

    def network(self, seed: int | None = None) -> nn.Module:
        """A fresh network; the same seed gives the same weights."""
        torch.manual_seed(self.seed if seed is None else seed)
        with answering_for(self.spec, described(self.spec)[0]):
            network = self.spec.build_measured(
                self.in_channels, self.out_channels, self.grid, self.parameters
            )
        return network.eval()

    def disturbed(self) -> nn.Module:
        """The network with noise on its weights: those that start at zero have no gradient yet."""
        network = self.network()
        torch.manual_seed(self.seed + 3)
        with torch.no_grad():
            network(self.field())  # whoever waits for the first input has its weights then
            for p in network.parameters():
                if p.is_floating_point() or p.is_complex():
                    scale = p.abs().square().mean().sqrt()
                    p.add_(0.1 * (scale if scale > 0 else 1) * torch.randn_like(p))
        return network

    def field(self, ny: int = 0, nx: int = 0) -> Float[Tensor, "batch c y x"]:
        """Noise, the same each time; two samples."""
        generator = torch.Generator().manual_seed(self.seed + 1)
        shape = (2, self.in_channels, ny or self.resolution, nx or self.resolution)
        return self.with_parameters(torch.randn(shape, generator=generator))

    def with_parameters(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y x"]:
        """The same input, the channels that are parameters made constant in space."""
        first = self.in_channels - self.parameters
        told = v[:, first:, :1, :1].expand_as(v[:, first:])
        return torch.cat([v[:, :first], told], dim=1)


_Finding = tuple[bool | None, str]


def _verdict(name: str, check: Callable[[_Subject], _Finding], subject: _Subject) -> Verdict:
    try:
        return Verdict(name, *check(subject))
    except (Exception, SystemExit) as error:  # whatever a stranger's network may raise is a finding
        said = " ".join(str(error).split())
        return Verdict(name, False, f"{type(error).__name__}: {said[:120]}")


@torch.no_grad()
def _gives_a_tensor(subject: _Subject) -> _Finding:
    out = subject.network()(v := subject.field())
    if not isinstance(out, Tensor):
        return False, f"{_NO_TENSOR}{type(out).__name__}"
    return out.dtype == v.dtype, f"{v.dtype} in, {out.dtype} out".replace("torch.", "")


@torch.no_grad()
def _serves_other_grids(subject: _Subject) -> _Finding:
    network, n = subject.network(), subject.resolution
    refused: dict[str, str] = {}
    for ny, nx in [(n, n), (n * 3 // 2, n * 3 // 2), (2 * n, 2 * n), (n, 2 * n), (2 * n, n)]:
        wanted = (2, subject.out_channels, ny, nx)
        try:
            out = network(subject.field(ny, nx))
        except (Exception, SystemExit) as error:  # as in `_verdict`
            refused[f"{ny} x {nx}"] = " ".join(str(error).split())[:80]
            continue
        if tuple(out.shape) != wanted:
            return False, f"{ny} x {nx} points give {tuple(out.shape)}, not {wanted}"
    if refused:
        return False, f"breaks down on {', '.join(refused)}: {next(iter(refused.values()))}"
    return True, f"{n} to {2 * n} points a side, square or not"


@torch.no_grad()
def _is_finite(subject: _Subject) -> _Finding:
    out = subject.network()(v := subject.field())
    spread = float(out.std() / v.std())
    return bool(out.isfinite().all()), f"spread of the output is {spread:.2g} of the input's"


@torch.no_grad()
def _is_deterministic(subject: _Subject) -> _Finding:
    network, v = subject.network(), subject.field()
    if not torch.equal(network(subject.field()), network(v)):
        return False, "the same input gives two outputs"
    same = torch.equal(network(v), subject.network()(subject.field()))
    return same, "the same seed gives the same outputs" if same else "torch's seed is not heeded"


@torch.no_grad()
def _leaves_its_input(subject: _Subject) -> _Finding:
    subject.network()(v := subject.field())
    is_kept = torch.equal(v, subject.field())
    return is_kept, "unchanged" if is_kept else "the network writes into its input"


def _gradients_reach(subject: _Subject) -> _Finding:
    network = subject.disturbed()
    learned = [p for p in network.parameters() if p.requires_grad]
    frozen = len(list(network.parameters())) - len(learned)
    if not learned:
        return False, "it has no parameters" + (" but frozen ones" if frozen else "")
    if missed := _without_gradient(network, subject.field()):
        return False, f"{len(missed)} of {len(learned)} tensors have none: {_listed(missed)}"
    return True, f"all {len(learned)} tensors" + (f"; {frozen} frozen" if frozen else "")


def _without_gradient(network: nn.Module, v: Tensor) -> list[str]:
    """Parameters to which no gradient, or one that is not finite, comes back; no frozen ones."""
    learned = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    out = network(v)
    if out.requires_grad:
        (out * torch.randn_like(out)).sum().backward()
    return [
        name
        for name, p in learned
        if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()
    ]


@torch.no_grad()
def _unused_though_frozen(network: nn.Module, v: Tensor) -> list[str]:
    """Frozen parameters whose values change nothing."""
    before, unused = network(v), []
    for name, p in network.named_parameters():
        if not p.requires_grad:
            value = p.clone()
            p.copy_(_noisy(p))
            if torch.equal(network(v), before):
                unused.append(name)
            p.copy_(value)
    return unused


def _parts_have_a_say(subject: _Subject) -> _Finding:
    network, v = subject.disturbed(), subject.field()
    unused = {*_without_gradient(network, v), *_unused_though_frozen(network, v)}
    idle, number = [], 0
    with torch.no_grad():
        before = network(v)
        for name, part in network.named_modules():
            with _disturbed(part) as calls:
                changed = not torch.equal(network(v), before)
            # Lists of parts and keepers of weights are never called: their weights speak for them.
            weights = {f"{name}.{p}" if name else p for p, _ in part.named_parameters()}
            is_silent = not changed if calls else not weights and not any(part.children())
            if is_silent or (weights and weights <= unused):
                idle.append(name)
            number += 1
    if idle:
        return False, f"{len(idle)} of {number} change nothing: {_listed(idle)}"
    return True, f"all {number} modules change the output"


@contextmanager
def _disturbed(part: nn.Module) -> Iterator[list[bool]]:
    """While this lasts, noise is added to what a part gives; yields a list of its calls."""
    calls: list[bool] = []

    def disturb(_part: nn.Module, _given: Any, out: Any) -> Any:
        calls.append(True)
        return _noisy(out)

    handle = part.register_forward_hook(disturb)
    try:
        yield calls
    finally:
        handle.remove()


def _noisy(out: Any) -> Any:
    if isinstance(out, Tensor):
        return out + torch.randn_like(out) if out.is_floating_point() or out.is_complex() else out
    if isinstance(out, tuple | list):
        return type(out)(_noisy(item) for item in out)
    return out


@torch.no_grad()
def _samples_do_not_mix(subject: _Subject) -> _Finding:
    network, v = subject.network(), subject.field()
    gap = _gap(network(v)[1:], network(v[1:]))
    if gap >= TOLERANCE:
        return False, f"alone and in company a sample's answers are {gap:.1%} apart"
    for part in network.train().modules():
        if isinstance(part, nn.Dropout | nn.Dropout2d):
            part.eval()
    mixes = _gap(network(v)[1:], network(v[1:])) >= TOLERANCE
    return True, "not in training: they share statistics" if mixes else "in training too"


@torch.no_grad()
def _weights_survive(subject: _Subject) -> _Finding:
    network, v = subject.network(), subject.field()
    state = {name: _as_real(value) for name, value in network.state_dict().items()}
    found = load_tensors(serialise_tensors(state))
    other = subject.network(subject.seed + 1)
    for name, value in other.state_dict().items():
        kept = found[name]
        value.copy_(torch.view_as_complex(kept) if value.is_complex() else kept)
    same = torch.equal(other(v), network(v))
    return same, f"{len(state)} tensors" if same else "the output depends on more than the weights"


def _as_real(value: Tensor) -> Tensor:
    return (torch.view_as_real(value) if value.is_complex() else value).contiguous()


@torch.no_grad()
def _moves_along(subject: _Subject) -> _Finding:
    network, v = subject.network(), subject.field()
    out, gaps = network(v), {}
    for shift in (2**k for k in range(subject.resolution.bit_length() - 1)):
        gaps[shift] = max(
            _gap(network(v.roll(by, (-2, -1))), out.roll(by, (-2, -1)))
            for by in ((shift, 0), (0, shift), (shift, -shift))
        )
        if gaps[shift] < TOLERANCE:
            step = "every shift" if shift == 1 else f"shifts by multiples of {shift} points"
            return True, f"commutes with {step}"
    where = _where_shifts_fail(network, v)
    smallest = min(gaps, key=lambda shift: gaps[shift])
    return False, f"no shift commutes, {gaps[smallest]:.0%} off by {smallest} points; {where}"


def _where_shifts_fail(network: nn.Module, v: Tensor) -> str:
    """Whether a shift of half the domain goes wrong near the edges, as with a wrong padding."""
    half = (v.shape[-2] // 2, v.shape[-1] // 2)
    wrong = (network(v.roll(half, (-2, -1))) - network(v).roll(half, (-2, -1))).abs()
    middle = wrong.mean((0, 1))
    ny, nx = middle.shape
    inner = middle[ny // 8 : ny * 3 // 8, nx // 8 : nx * 3 // 8].mean()
    if middle.mean() > 2 * inner:
        return "most of it near the edges, which leak: pad as `circular`"
    return "everywhere: the network knows where it is"


@torch.no_grad()
def _constants_stay(subject: _Subject) -> _Finding:
    n = subject.resolution
    out = subject.network()(subject.field(1, 1).repeat(1, 1, n, n))
    gap = _gap(out, out[..., :1, :1].expand_as(out))
    return None, "stays constant" if gap < TOLERANCE else f"varies by {gap:.1%}"


@torch.no_grad()
def _depends_on_the_grid(subject: _Subject) -> _Finding:
    network, n = subject.network(), subject.resolution
    coarse, fine = subject.grid, PeriodicBox((2 * n, 2 * n))
    v = subject.with_parameters(_smooth(subject.in_channels, 2 * n, subject.seed))
    at_home = network(restrict(v, fine, coarse))
    gap = float((restrict(network(v), fine, coarse) - at_home).norm() / at_home.norm())
    return None, f"{gap:.1%} between {n} and {2 * n} points a side, smooth input"


def _smooth(channels: int, n: int, seed: int) -> Float[Tensor, "1 c y x"]:
    """A random field of the wavenumbers up to 3, of variance one."""
    generator = torch.Generator().manual_seed(seed + 2)
    k = torch.fft.fftfreq(n, 1 / n).abs()[:, None].maximum(torch.fft.rfftfreq(n, 1 / n)[None])
    noise = torch.randn(1, channels, n, n, generator=generator)
    v = torch.fft.irfft2(torch.fft.rfft2(noise) * (k <= 3), s=(n, n))
    return v / v.std()


class _BetweenWalls(_Subject):
    """The same model, built for a box that is not periodic."""

    @property
    def grid(self) -> Grid:
        return ClosedBox((self.resolution, self.resolution))


@torch.no_grad()
def _edges_are_told(subject: _Subject) -> _Finding:
    network, v = subject.network(), subject.field()
    closed = _BetweenWalls(**vars(subject)).network()
    closed.load_state_dict(network.state_dict())
    gap = _gap(closed(v), network(v))
    if gap < TOLERANCE:
        return None, "no: it answers alike in a periodic box and between walls"
    return None, f"yes: with walls the same weights answer {gap:.0%} apart"


def _gap(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    gap = float((a - b).abs().max() / b.abs().max().clamp(min=1e-30))
    return gap if math.isfinite(gap) else math.inf


def _listed(names: list[str]) -> str:
    shown = ", ".join(name or "the whole network" for name in names[:3])
    return shown + (", ..." if len(names) > 3 else "")


_PROMISES: dict[str, Callable[[_Subject], _Finding]] = {
    "runs on other grids": _serves_other_grids,
    "is finite at first": _is_finite,
    "gives the same twice": _is_deterministic,
    "leaves its input alone": _leaves_its_input,
    "has a gradient for every parameter": _gradients_reach,
    "has no idle part": _parts_have_a_say,
    "keeps samples apart": _samples_do_not_mix,
    "moves along with periodic shifts": _moves_along,
    "has weights that survive a file": _weights_survive,
}
"""What a model must keep."""
_INFORMATION: dict[str, Callable[[_Subject], _Finding]] = {
    "keeps constants": _constants_stay,
    "answers alike on a finer grid": _depends_on_the_grid,
    "is told the edges": _edges_are_told,
}
"""What is good to know of it."""
