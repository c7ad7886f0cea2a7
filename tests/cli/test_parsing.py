"""Complaints of one sentence, and lists without brackets."""

import pytest

from pdesurrogate.cli.parsing import UsageError, bracket_lists, check_class


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        (["--resolutions", "32,64"], ["--resolutions", "[32,64]"]),
        (["--resolutions=32,64"], ["--resolutions=[32,64]"]),
        (["--resolutions", "32"], ["--resolutions", "[32]"]),
        (["--resolutions", "[32, 64]"], ["--resolutions", "[32, 64]"]),
        (["--resolutions", "--out"], ["--resolutions", "--out"]),
        (["--resolutions", "null"], ["--resolutions", "null"]),
        (["--out", "a,b"], ["--out", "a,b"]),
        (["a,b"], ["a,b"]),
    ],
)
def test_lists_may_be_typed_without_brackets(typed, understood):
    assert bracket_lists(typed, ["--resolutions"]) == understood


def test_class_names_are_known_or_dotted():
    check_class("model", "FNO", ["FNO"])
    check_class("model", "my_package.MyNet", ["FNO"])
    with pytest.raises(UsageError, match=r"unknown model 'FON' \(did you mean 'FNO'\?\)"):
        check_class("model", "FON", ["FNO"])
