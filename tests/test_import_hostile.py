"""Sources with a field of another type than their format says: a module, or a LoadError."""

import copy
import json
import random
from pathlib import Path

import pytest
from thorough import some

from chaperon.errors import LoadError
from chaperon.importing.kinds import import_source

pytestmark = pytest.mark.as_written

HERE = Path(__file__).parent
SOURCES = {
    "openapi": "descriptions/petstore-2.json",
    "har": "recordings/chrome.har",
    "postman": "collections/shop.json",
}
VALUES = (None, 5, "x", [], {}, [1], {"a": 1}, True)


def places(value, path=()):
    """Yield the path of each part of a document."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


@pytest.mark.long
@pytest.mark.parametrize("kind", SOURCES)
def test_a_field_of_any_other_type_is_no_fault_of_ours(kind, monkeypatch):
    monkeypatch.setattr("chaperon.importing.kinds.formatter", lambda: None)
    source = json.loads((HERE / SOURCES[kind]).read_text())
    known = list(places(source))
    refused = 0

    for path in some(random.Random(5).sample(known, min(60, len(known))), 4):
        for value in VALUES:
            changed = part = copy.deepcopy(source)
            for key in path[:-1]:
                part = part[key]
            part[path[-1]] = value
            try:
                assert import_source(kind, json.dumps(changed)).text
            except LoadError:
                refused += 1

    assert refused > 0
