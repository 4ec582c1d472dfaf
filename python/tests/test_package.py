"""The package as it is installed: its names, their documentation, and the stubs, which say the same."""

import ast
import doctest
import importlib.resources
import re

import pytest

import utan
from utan import _utan

CLASSES = ["Dict", "List", "Collection", "Table", "Store"]


def stub():
    return ast.parse(importlib.resources.files("utan").joinpath("_utan.pyi").read_text())


def methods_of(tree, name):
    """The methods of a class in the stub, with those of its bases there."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found = {node.name for node in classes[name].body if isinstance(node, ast.FunctionDef)}
    for base in classes[name].bases:
        base_name = base.value.id if isinstance(base, ast.Subscript) else getattr(base, "id", "")
        if base_name in classes:
            found |= methods_of(tree, base_name)
    return found


def test_all_names_are_there_and_documented():
    for name in utan.__all__:
        assert getattr(utan, name).__doc__, name
    public = {name for name in vars(_utan) if not name.startswith("_")}
    assert public == set(utan.__all__)
    assert re.fullmatch(r"\d+\.\d+\.\d+", utan.__version__)


@pytest.mark.parametrize("name", CLASSES)
def test_all_methods_are_documented(name):
    type_ = getattr(utan, name)
    for method in dir(type_):
        if not method.startswith("_"):
            assert getattr(type_, method).__doc__, f"{name}.{method}"


@pytest.mark.parametrize("name", CLASSES)
def test_the_stub_has_exactly_the_methods_there_are(name):
    in_stub = {method for method in methods_of(stub(), name) if not method.startswith("_")}
    assert in_stub == {method for method in dir(getattr(utan, name)) if not method.startswith("_")}


def test_the_stub_has_all_names():
    named = {node.name for node in stub().body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    assert {name for name in named if not name.startswith("_")} == set(utan.__all__)
    assert importlib.resources.files("utan").joinpath("py.typed").is_file()


def test_arguments_are_as_the_signatures_say():
    import inspect

    for name in CLASSES:
        type_ = getattr(utan, name)
        for method in ("at", "set_at", "incr", "replace", "alter"):
            parameters = inspect.signature(getattr(type_, method)).parameters
            assert list(parameters)[0] == "self" and len(parameters) > 1
    assert list(inspect.signature(utan.open).parameters) == ["path", "mode", "durability", "interval", "chunk_size", "pickle"]


@pytest.mark.parametrize("call, message", [
    (lambda db: db.at(), "missing required argument: 'path'"),
    (lambda db: db.at("a", wrong=1), "unexpected keyword argument 'wrong'"),
    (lambda db: db.at("a", path="b"), "multiple values for argument 'path'"),
    (lambda db: db.at("a", 1, ".", 2), "at most 3 positional arguments"),
    (lambda db: db.set_at("a", 1, "."), "at most 2 positional arguments"),
    (lambda db: db.replace("a", new=1), "missing required argument: 'old'"),
    (lambda db: db.get(), "at least 1 argument"),
    (lambda db: db.get(1, 2, 3), "at most 2 arguments"),
    (lambda db: utan.open(), "missing required argument: 'path'"),
])
def test_wrong_arguments_are_type_errors_that_say_which(db, call, message):
    with pytest.raises(TypeError, match=message):
        call(db)


def test_the_tour_runs(monkeypatch, tmp_path):
    """Every example of docs/PYTHON.md that has a prompt gives what it says."""
    import pathlib

    guide = pathlib.Path(__file__).resolve().parents[2] / "docs" / "PYTHON.md"
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(guide), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert tried > 20 and failed == 0
