"""What the tests share: a store in a folder of its own, and the other kinds of stores."""

import pytest

import utan


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "test.utan")


@pytest.fixture
def db(path):
    """A store; what the test leaves in it must be sound."""
    with utan.open(path) as store:
        yield store
        if not store.closed:
            assert store.check()["problems"] == []


@pytest.fixture(params=["dict", "collection", "table"])
def mapping(request, db):
    """An empty container with keys, of each type in turn."""
    return getattr(db, request.param)("mapping")


@pytest.fixture(params=["dict", "collection"])
def ordered(request, db):
    """An empty container with keys in order."""
    return getattr(db, request.param)("ordered")
