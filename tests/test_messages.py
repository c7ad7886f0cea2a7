from pdesurrogate.messages import unknown_name


def test_the_nearest_name_is_offered() -> None:
    assert unknown_name("model", "MultiResnet", ["FNO", "MultiResNet"]) == (
        "unknown model 'MultiResnet'; did you mean 'MultiResNet'? known are FNO, MultiResNet"
    )


def test_nothing_is_offered_where_nothing_is_near() -> None:
    assert unknown_name("field", "smoke", ["vorticity"], "the data hold") == (
        "unknown field 'smoke'; the data hold vorticity"
    )
    assert unknown_name("field", "smoke", []).endswith("known are none")
