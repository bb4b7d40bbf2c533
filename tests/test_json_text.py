"""Our JSON is that of the standard library, to the byte, in what it refuses too."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperon.client.http.json_codec import decode, encode

numbers = st.integers() | st.floats(allow_nan=True)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | st.just(object()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | numbers, inner, max_size=3),
    max_leaves=8,
)
texts = st.text(alphabet=' \t\n\ufeff{}[]",:\\u0123e.-tralsnul', max_size=12) | values.map(
    lambda value: json.dumps(value, default=str)
)


def outcome(function, *args, **kwargs):
    try:
        return repr(function(*args, **kwargs))
    except Exception as exc:
        return type(exc), str(exc)


@given(values)
def test_a_value_is_encoded_as_the_library_does(value):
    assert outcome(encode, value) == outcome(json.dumps, value, allow_nan=False)


@given(texts)
def test_a_text_is_decoded_as_the_library_does(text):
    assert outcome(decode, text) == outcome(json.loads, text)


def test_a_value_that_holds_itself_is_refused_by_name():
    circle = []
    circle.append(circle)

    with pytest.raises(ValueError, match="Circular reference"):
        encode(circle)
