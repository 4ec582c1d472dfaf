"""The package as it is installed: its names, their documentation, and the stubs, which say the same."""

import ast
import doctest
import importlib.resources
import inspect
import re

import pytest

import utan
from utan import _utan

CLASSES = ["Dict", "List", "Collection", "Table", "Store"]


def stub():
    return ast.parse(importlib.resources.files("utan").joinpath("_utan.pyi").read_text())


def methods_of(tree, name):
    """The methods of a class in the stub, with those of its bases there: name -> its definitions, more than one if overloaded."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found = {}
    for node in classes[name].body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    for base in classes[name].bases:
        base_name = base.value.id if isinstance(base, ast.Subscript) else getattr(base, "id", "")
        if base_name in classes:
            found = {**methods_of(tree, base_name), **found}
    return found


def parameters_of(definition):
    """(name, is it by position only, is it by name only), without self."""
    given = definition.args
    both = [(a.arg, False, False) for a in given.args]
    return [*((a.arg, True, False) for a in given.posonlyargs), *both, *((a.arg, False, True) for a in given.kwonlyargs)][1:]


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
    """mypy.stubtest (test_typing.py) does not see what comes from a base that has no public name."""
    in_stub = {method for method in methods_of(stub(), name) if not method.startswith("_")}
    assert in_stub == {method for method in dir(getattr(utan, name)) if not method.startswith("_")}


@pytest.mark.parametrize("name", CLASSES)
def test_the_stub_has_the_parameters_there_are(name):
    """As above. A signature cannot say what pop and update of a mapping take, nor do dict's have one."""
    for method, definitions in methods_of(stub(), name).items():
        function = getattr(getattr(utan, name), method)
        if method.startswith("_") or not callable(function) or (method in ("pop", "update") and name != "List"):
            continue
        parameters = inspect.signature(function).parameters.values()
        there = [(p.name, p.kind == p.POSITIONAL_ONLY, p.kind == p.KEYWORD_ONLY) for p in parameters]
        assert there[1:] in [parameters_of(definition) for definition in definitions], method


def test_the_stub_has_all_names():
    named = {node.name for node in stub().body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    assert {name for name in named if not name.startswith("_")} == set(utan.__all__)
    assert importlib.resources.files("utan").joinpath("py.typed").is_file()


def test_arguments_are_as_the_signatures_say():
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
