"""Which protocols an evaluation uses: those that were asked for, or those that go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pdesurrogate.data import Ladder
from pdesurrogate.evaluation.entries import SurrogateEntry
from pdesurrogate.evaluation.protocols import Native, Projected, TransferProtocol, named
from pdesurrogate.evaluation.trust import detail_trust
from pdesurrogate.models.user_code import answering_for_part

__all__ = [
    "DEFAULT_PROTOCOLS",
    "applicable",
    "chosen_protocols",
    "require_applicable",
    "with_trust",
]

DEFAULT_PROTOCOLS = ("native", "projected", "transported", "extended")
"""Of these, whatever goes with the runs; `polyphase` is for who asks for it."""


def chosen_protocols(
    protocols: Sequence[TransferProtocol | str] | None,
) -> tuple[TransferProtocol, ...]:
    """The protocols by name or as they are; the default ones for None.

    Raises:
        ValueError: If there are none, a name is unknown or no text, or two have one name.
    """
    wanted = DEFAULT_PROTOCOLS if protocols is None else protocols
    if not wanted:
        raise ValueError("an evaluation needs at least one protocol, such as native")
    chosen = tuple(named(item) if isinstance(item, str) else item for item in wanted)
    names = [_name_of(protocol) for protocol in chosen]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"the protocol {twice[0]!r} is named twice; name each once")
    return chosen


def require_applicable(
    protocols: Sequence[TransferProtocol], entries: Sequence[SurrogateEntry], rungs: Sequence[int]
) -> None:
    """Refuse a protocol that goes to none of the finer rungs with any surrogate.

    Raises:
        ValueError: Says why it does not, for the first surrogate and rung.
    """
    for protocol in protocols:
        reasons = [
            (entry.label.name, rung, entry.reason_against(protocol, rung))
            for entry in entries
            for rung in rungs
            if rung > entry.training_grid.resolution
        ]
        if reasons and all(reason is not None for *_, reason in reasons):
            name, rung, reason = reasons[0]
            raise ValueError(
                f"the protocol {protocol.name} cannot be used for {name} at resolution {rung}: "
                f"{reason}"
            )


def applicable(
    protocols: Sequence[TransferProtocol], entries: Sequence[SurrogateEntry], rungs: Sequence[int]
) -> tuple[TransferProtocol, ...]:
    """Those that go to some finer rung with some surrogate; always those of the baselines."""
    return tuple(
        protocol
        for protocol in protocols
        if isinstance(protocol, Native | Projected)
        or any(entry.takes_part(protocol, rung) for entry in entries for rung in rungs)
    )


def _name_of(protocol: TransferProtocol) -> str:
    """What tables call it."""
    with answering_for_part(protocol):
        name: object = protocol.name
    if not isinstance(name, str) or not name:
        raise ValueError(
            f"the name of the protocol {type(protocol).__name__} must be text, got {name!r}"
        )
    return name


def _uses_trust(protocol: TransferProtocol) -> bool:
    with answering_for_part(protocol):
        return protocol.uses_trust


def with_trust(
    entries: Sequence[SurrogateEntry],
    protocols: Sequence[TransferProtocol],
    rungs: Sequence[int],
    data: Ladder,
    num_steps: int,
) -> list[SurrogateEntry]:
    """The same entries, told how long detail is to be trusted where a protocol wants to know."""
    curious = [protocol for protocol in protocols if _uses_trust(protocol)]

    def wants(entry: SurrogateEntry) -> bool:
        return any(entry.takes_part(protocol, rung) for protocol in curious for rung in rungs)

    return [
        replace(entry, trust=detail_trust(entry.surrogate, data, num_steps))
        if wants(entry)
        else entry
        for entry in entries
    ]
