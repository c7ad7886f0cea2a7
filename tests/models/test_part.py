from dataclasses import dataclass, field

import pytest

from pdesurrogate.models import Extended, Haar, MultiResNet, Strided
from pdesurrogate.models.part import Part, parts_from_plain, parts_to_plain
from pdesurrogate.models.user_model import UserModel, networks_named


@dataclass(frozen=True)
class Inner(Part):
    number: int = 1


@dataclass(frozen=True)
class Outer(Part):
    inner: Part = field(default_factory=Inner)
    sizes: tuple[int, ...] = (1, 2)


def test_round_trip() -> None:
    outer = Outer(inner=Inner(3), sizes=(4,))
    plain = parts_to_plain(outer)
    path = f"{__name__}.Inner"  # it is none of the package's
    assert plain["inner"] == {"class_path": path, "init_args": {"number": 3}}
    assert Outer(**parts_from_plain(plain, [Inner])) == outer
    plain["inner"]["class_path"] = "Inner"  # as runs said before
    assert Outer(**parts_from_plain(plain, [Inner])) == outer


def test_a_part_of_ones_own_is_built_if_allowed_only() -> None:
    plain = parts_to_plain(Outer())
    with pytest.raises(ValueError, match=rf"specs=\[Inner\], .* --models {__name__}.Inner$"):
        parts_from_plain(plain, [Haar])


def test_a_models_space_is_told() -> None:
    spec = MultiResNet(space=Strided())
    plain = parts_to_plain(spec)
    assert plain["space"] == {"class_path": "Strided", "init_args": {}}
    assert MultiResNet(**parts_from_plain(plain, [Haar, Strided])) == spec


def test_unknown_part_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'Haar'"):
        parts_from_plain({"space": {"class_path": "Harr", "init_args": {}}}, [Haar, Strided])


def test_a_model_within_a_model_is_told() -> None:
    spec = Extended(Extended(MultiResNet(space=Strided())))
    plain = parts_to_plain(spec)
    assert plain["base"]["class_path"] == "Extended"
    assert plain["base"]["init_args"]["base"]["class_path"] == "MultiResNet"
    assert Extended(**parts_from_plain(plain, [Extended, MultiResNet, Strided])) == spec
    with pytest.raises(ValueError, match="unknown part 'MultiResNet'"):
        parts_from_plain(plain, [Extended, Strided])


def test_a_users_network_within_a_model_is_told_with_its_options() -> None:
    spec = Extended(UserModel("mine.Net", {"sizes": [1, 2], "more": {"rate": 0.5}}))
    plain = parts_to_plain(spec)
    assert list(networks_named(plain)) == ["mine.Net"]
    assert Extended(**parts_from_plain(plain, [UserModel])) == spec


def test_networks_are_found_however_deep_they_are_named() -> None:
    plain = parts_to_plain(Extended(Extended(UserModel("mine.Net"))))
    assert list(networks_named({"models": [1, (plain, plain)]})) == ["mine.Net", "mine.Net"]
    assert list(networks_named(parts_to_plain(MultiResNet()))) == []
