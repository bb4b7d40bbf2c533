"""A response whose head repeats that of the last ones is the same response as one that is parsed for the first time."""

from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from chaperon.client.http.parser import ResponseParser
from chaperon.errors import ProtocolError

HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0",
    b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Null: \0",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 5",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked",
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5",
]
RESTS = [
    b"",
    b"hello",
    b"\r\nhel",
    b"world",
    b"hello\r\n",
    b"helloHTTP/1.1 200 OK\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nworld\r\n0\r\n\r\n",
    b"0\r\n\r\n5\r\nhello\r\n",
]


def parsed(parser, data, is_head):
    """Return all that a parser says of one response, and whether the next may follow on its connection."""
    parser.start_response(is_head)
    parser.pieces.clear()
    try:
        parser.feed(data)
    except ProtocolError as exc:
        return str(exc), False
    pieces = parser.pieces if parser.done or parser.head else []
    found = parser.head, parser.status, b"".join(pieces), parser.done, parser.keep, parser.clean, parser.framing
    return found, parser.done and parser.clean


@settings(max_examples=examples(400))
@given(
    st.lists(
        st.tuples(st.sampled_from(HEADS), st.sampled_from(RESTS), st.sampled_from([False, False, False, True])),
        min_size=1,
        max_size=3,
    ).flatmap(lambda kinds: st.lists(st.sampled_from(kinds), min_size=1, max_size=12))
)
def test_a_connection_reads_each_response_as_a_new_one_would(responses):
    parser = ResponseParser()
    for head, rest, is_head in responses:
        data = head + b"\r\n\r\n" + rest

        found, goes_on = parsed(parser, data, is_head)

        assert found == parsed(ResponseParser(), data, is_head)[0]
        if not goes_on:
            parser = ResponseParser()


def test_the_third_response_with_the_same_head_is_not_parsed():
    parser, data = ResponseParser(), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    for _ in range(2):
        parsed(parser, data, False)
    parser.forget()  # without llhttp, nothing but a known response can be read

    found, goes_on = parsed(parser, data.replace(b"hello", b"world"), False)

    assert found[:4] == (b"HTTP/1.1 200 OK\r\nContent-Length: 5", 200, b"world", True)
    assert goes_on
