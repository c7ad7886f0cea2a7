"""What `import pdesurrogate as ps` offers."""

import importlib
import pkgutil

import pytest

import pdesurrogate as ps


@pytest.mark.parametrize("name", ps.__all__)
def test_every_public_name_stays_what_it_is(name):
    before = getattr(ps, name)
    for module in pkgutil.iter_modules(ps.__path__):
        importlib.import_module(f"pdesurrogate.{module.name}")
    assert getattr(ps, name) is before
    if name not in ("initial_conditions", "metrics", "models", "solvers"):
        assert callable(before)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="has no attribute 'reprot'"):
        _ = ps.reprot
