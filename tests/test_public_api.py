"""What `import pdesurrogate as ps` offers."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

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


def test_modules_take_from_each_other_only_what_is_offered():
    root = Path(ps.__file__).parent
    hidden = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.ImportFrom) and str(node.module).startswith(ps.__name__)):
                continue
            source = importlib.import_module(str(node.module))
            for name in (alias.name for alias in node.names):
                is_module = inspect.ismodule(getattr(source, name, None))
                if name not in getattr(source, "__all__", ()) and not is_module:
                    hidden.append(f"{path.relative_to(root)}: {node.module}.{name}")
    assert hidden == []
