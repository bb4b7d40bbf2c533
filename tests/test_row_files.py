"""Tables of test data as spreadsheets and scripts save them."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperon import LoadError, feed
from chaperon.session.row_files import read_rows

ZOE = [{"user": "Zoë", "pw": "x"}]
TEXT = "user,pw\nZoë,x\n"


def table(tmp_path, content, name="people.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("delimiter", ["comma", "semicolon", "tab", "bar"])
@pytest.mark.parametrize("given_by_hand", [True, False])
def test_a_delimiter_is_recognised_or_given(tmp_path, delimiter, given_by_hand):
    mark = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}[delimiter]
    path = table(tmp_path, f"user{mark}pw\nZoë{mark}x\n")

    assert feed(path, **({"delimiter": mark} if given_by_hand else {})).rows == ZOE


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (TEXT.encode("utf-8-sig"), {}),
        (TEXT.encode("utf-16"), {}),
        (TEXT.encode("utf-16-le"), {}),
        (TEXT.encode("utf-16-be"), {}),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), {}),
        (TEXT.encode("utf-32"), {}),
        (TEXT.encode("cp1252"), {"encoding": "cp1252"}),
        (TEXT.encode("utf-8-sig"), {"encoding": "utf-8"}),
        (TEXT.encode("mac-roman"), {"encoding": "mac-roman"}),
    ],
)
def test_an_encoding_is_recognised_or_given(tmp_path, content, options):
    assert feed(table(tmp_path, content), **options).rows == ZOE


def test_text_that_is_not_utf_8_is_read_as_windows_1252_with_a_warning(tmp_path):
    path = table(tmp_path, TEXT.encode("cp1252"))

    with pytest.warns(UserWarning, match="is not UTF-8: read as Windows-1252"):
        assert feed(path).rows == ZOE


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("\n \nuser,pw\n\nZoë,x\n\n", ZOE),
        ("user,pw\r\nZoë,x\r\n", ZOE),
        ("user,pw\rZoë,x\r", ZOE),
        ("user,pw\nZoë,x", ZOE),
        (" user , pw \nZoë,x\n", ZOE),
        ("sep=;\nuser;pw\nZoë;x\n", ZOE),
        ('user;pw\n"Zoë";"x"\n', ZOE),
        ("name\na;b\n", [{"name": "a;b"}]),
        ("a,b\n1;2,3\n", [{"a": "1;2", "b": "3"}]),
        ("a;b\n1,5;2,5\n", [{"a": "1,5", "b": "2,5"}]),
        ('a,b\n"one\ntwo",3\n', [{"a": "one\ntwo", "b": "3"}]),
        ('a,b\n"say ""hi""",3\n', [{"a": 'say "hi"', "b": "3"}]),
        ("a,b\nx\x0by,z\x85\u2028q\n", [{"a": "x\x0by", "b": "z\x85\u2028q"}]),
        ("a,b\n,\n", [{"a": "", "b": ""}]),
    ],
)
def test_lines_end_where_lines_end_and_cells_are_what_they_are(tmp_path, content, rows):
    assert feed(table(tmp_path, content)).rows == rows


def test_a_cell_may_have_any_length_and_the_bound_of_the_process_stays(tmp_path):
    long = "x" * 300_000
    before = csv.field_size_limit()

    assert feed(table(tmp_path, f"a,b\n{long},1\n")).rows == [{"a": long, "b": "1"}]
    assert csv.field_size_limit() == before


def test_lines_of_json_end_at_line_ends_alone(tmp_path):
    rows = [{"text": "one\u2028two\x85three"}, {"text": "four"}]
    path = table(tmp_path, "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "a.jsonl")

    assert feed(path).rows == rows


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        ("a,,b\n1,2,3\n", {}, "line 1: column 2 has no name.*'a', '', 'b'"),
        ("\n\na,a\n1,2\n", {}, "line 3: two columns have one name, 'a'"),
        ("1,2\n3,4\n", {}, "line 1: numbers stand where the names.*add a line of names"),
        ("a;b\n1;2\n", {"delimiter": ","}, "there is one column only: give delimiter=';'"),
        ("a,b\n1,2\n3\n", {}, r"line 3: 1 cell under 2 columns: \['3'\]"),
        ("a,b\n1,2\n", {"delimiter": "ab"}, "delimiter= must be one character"),
        (b"a,b\n\xff\x00,2\n", {"encoding": "utf-8"}, "cannot read"),
        ("a,b\n1,2\n", {"encoding": "klingon"}, "unknown encoding: klingon"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_line(tmp_path, content, options, says):
    with pytest.raises(LoadError, match=says):
        feed(table(tmp_path, content), **options)


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, rows, delimiter, encoding):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["one", "two", "three"], *rows])
    path = table(tmp_path_factory.mktemp("rows"), text.getvalue().encode(encoding))

    assert read_rows(path) == [dict(zip(("one", "two", "three"), row, strict=True)) for row in rows]
