"""`chaperon import curl`: commands as people type them and browsers copy them."""

import json
import re
import subprocess
from shutil import which

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chaperon.errors import LoadError
from chaperon.importing.bodies import equal_query
from chaperon.importing.curl_command.importer import FORM
from chaperon.importing.curl_command.shell_words import commands
from chaperon.importing.kinds import import_source

CHROME = r"""curl 'https://shop.example/api/products?page=2&size=20' \
  -H 'accept: application/json' \
  -H 'accept-language: en' \
  -H 'authorization: Bearer abcdefgh12345678' \
  -b 'sid=0123456789abcdef; theme=dark' \
  -H 'sec-ch-ua: "Chromium";v="130"' \
  -H 'user-agent: Mozilla/5.0' ;
curl 'https://shop.example/api/orders/8123' \
  -X 'PUT' \
  -H 'accept-language: en' \
  -H 'authorization: Bearer abcdefgh12345678' \
  -H 'content-type: application/json' \
  --data-raw $'{"note":"it\'s \u00e4 gift","password":"correct horse"}' \
  --compressed"""

pytestmark = pytest.mark.usefixtures("formatting")


@pytest.mark.processes
def test_requests_that_a_browser_copied_become_steps(importing, target):
    text = importing("curl", CHROME, secrets=("API_TOKEN", "COOKIE", "PASSWORD"))

    assert target.asked == ["GET /api/products", "PUT /api/orders/8123"]
    assert target.queries[0] == "page=2&size=20"
    assert json.loads(target.bodies[1]) == {"note": "it's ä gift", "password": "value-of-password"}
    assert target.headers[0]["HTTP_AUTHORIZATION"] == "Bearer value-of-api_token"
    assert target.headers[0]["HTTP_COOKIE"] == "value-of-cookie"
    assert "HTTP_SEC_CH_UA" not in target.headers[0]
    assert 'name="PUT /api/orders/:id"' in text
    assert not any(secret in text for secret in ("abcdefgh12345678", "0123456789abcdef", "correct horse"))


@pytest.mark.processes
@pytest.mark.parametrize(
    ("line", "asked", "body", "kind"),
    [
        ("curl localhost/a", "GET /a", b"", None),
        ("curl -d a=1 -d b=2 http://x/f", "POST /f", b"a=1&b=2", "application/x-www-form-urlencoded"),
        ("curl -G -d a=1 http://x/f", "GET /f", b"", None),
        ("curl -I http://x/", "HEAD /", b"", None),
        ("curl -XDELETE http://x/items/1", "DELETE /items/1", b"", None),
        ("curl --json '[1, 2]' http://x/", "POST /", b"[1, 2]", "application/json"),
        ("curl --data-urlencode 'q=a b&c' http://x/", "POST /", b"q=a+b%26c", "application/x-www-form-urlencoded"),
        ("curl -H 'Content-Type: text/xml' -d '<a/>' x/y", "POST /y", b"<a/>", "text/xml"),
        ("curl -sSLk -o /dev/null http://x/quiet", "GET /quiet", b"", None),
        ("curl -X PROPFIND http://x/dav", "PROPFIND /dav", b"", None),
        (
            'curl -d "it\'s \\"quoted\\"" -H \'Content-Type: text/plain\' http://x/',
            "POST /",
            b'it\'s "quoted"',
            "text/plain",
        ),
    ],
)
def test_each_option_is_sent_as_curl_sends_it(importing, target, line, asked, body, kind):
    importing("curl", line)

    assert (target.asked[0], target.bodies[0]) == (asked, body)
    assert (target.types[0] or None) == kind


SENT = [
    ("-d plain", "/", b"plain"),
    ("-d a=1 -d plain", "/", b"a=1&plain"),
    ("-d 'name=John Doe'", "/", b"name=John+Doe"),
    ("--data-binary $'a=1\\nb=2'", "/", b"a=1\nb=2"),
    ("--data-urlencode '=a b' -d b=1", "/", b"a+b&b=1"),
    ("", "/service?wsdl", b""),
    ("", "/?a=&b", b""),
    ("", "/?a=1;b=2", b""),
    ("--url-query 'q=#1 & more' --url-query +raw", "/?a=1", b""),
    ("-T page.html", "", b"<p>"),
    ("-T page.html", "/folder/?a=1", b"<p>"),
    ("-T page.html", "/other", b"<p>"),
]


@pytest.mark.processes
@pytest.mark.skipif(which("curl") is None, reason="curl is not on the PATH")
@pytest.mark.parametrize(("options", "path", "body"), SENT)
def test_path_query_and_body_are_those_that_curl_sends(importing, target, tmp_path, options, path, body):
    (tmp_path / "page.html").write_text("<p>")
    line = f"curl -s {options} '{target.url}{path}'"

    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, stdout=subprocess.DEVNULL)
    importing("curl", line)

    assert done.returncode == 0
    by_curl, by_import = zip(target.asked, target.queries, target.bodies, target.types, strict=True)
    assert by_import[0] == by_curl[0]
    assert equal_query(by_import[1], by_curl[1])
    assert by_import[2] == body == (by_curl[2].replace(b" ", b"+") if by_curl[3] == FORM else by_curl[2])
    assert (by_import[3] or FORM) == (by_curl[3] or FORM)


@pytest.mark.processes
@pytest.mark.skipif(which("curl") is None, reason="curl is not on the PATH")
@pytest.mark.parametrize(
    "options",
    [
        "-F a=1 -F b=2",
        "-F 'a=1;type=text/html'",
        "-F 'a=1;type=text/plain; charset=utf-8'",
        '-F \'a="x;y\\"";type=text/html;filename=z\'',
        "-F 'a=1 ;b=2'",
        "--form-string 'a=1;type=text/html'",
        "-F a=@page.html",
        "-F a=@picture",
        "-F 'a=@page.html;type=text/css;filename=\"b;c.css\"'",
        "-F 'a=<page.html'",
        "-F 'a=<picture'",
        "-F 'a=1;filename=b.xml'",
        "-F 'a=1;filename=b'",
    ],
)
def test_parts_of_a_form_are_those_that_curl_sends(importing, target, tmp_path, options):
    (tmp_path / "page.html").write_text("<p>")
    (tmp_path / "picture").write_bytes(b"\0\1")
    line = f"curl -s {options} '{target.url}'"

    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, stdout=subprocess.DEVNULL)
    importing("curl", line)

    assert done.returncode == 0
    by_curl, by_import = (
        body.replace(re.search("boundary=(.*)", kind)[1].encode(), b"boundary")
        for kind, body in zip(target.types, target.bodies, strict=True)
    )
    assert by_import == by_curl


@pytest.mark.processes
def test_user_and_password_become_auth_of_the_environment(importing, target):
    text = importing("curl", "curl -u ada:lovelace99 http://x/private", secrets=["API_PASSWORD"])

    assert 'auth=("ada", secret("env:API_PASSWORD"))' in text
    assert "lovelace99" not in text
    assert target.headers[0]["HTTP_AUTHORIZATION"].startswith("Basic ")


SCRIPT = """#!/bin/bash
set -e
HOST=x; TOKEN="abc"
curl -s http://x/a 2>/dev/null | jq '.id' > ids.txt
for i in 1 2; do curl "http://x/items/$i" >> log 2>&1; done
time curl -d 'a=$literal>b' http://x/b && echo "done $HOST"
A=1 curl http://x/c?d=1\\>2 &> all.txt
"""


@pytest.mark.processes
def test_of_a_script_of_the_shell_the_curl_commands_are_imported(importing, target):
    importing("curl", SCRIPT)

    assert target.asked == ["GET /a", "GET /items/$i", "POST /b", "GET /c"]
    assert target.bodies[2] == b"a=%24literal%3Eb"
    assert target.queries[3] == "d=1%3E2"
    assert importing.remarks.splitlines() == [
        f"chaperon: not carried over: {each}"
        for each in (
            "line 5: $i of the shell, which is sent as it is written: put a value in its place",
            "line 2: set -e",
            "line 5: for i in 1 2",
            "line 6: echo done $HOST",
        )
    ]


@pytest.mark.processes
def test_what_curl_would_do_besides_is_a_remark(importing):
    text = importing("curl", "curl --retry 3 --resolve x:80:127.0.0.1 -H Accept: http://x/")

    assert "curl's --retry 3" in text
    assert "curl's --header Accept:, which leaves out what curl sends by itself" in text
    assert "not carried over: curl's --resolve x:80:127.0.0.1" in importing.remarks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("curl 'http://x/", "line 1: a quote is not closed"),
        ("wget http://x/", "'wget' is not curl"),
        ("", "no curl command"),
        ("curl -H a:b", "without a URL"),
        ("curl -H", "-H of curl needs an argument"),
        ("curl ftp://x/", "not an http or https URL"),
        ("curl http://[::1/", "not an http or https URL"),
        ("curl http://x:99999/", "not an http or https URL"),
        ("curl -d @/none/such http://x/", "No such file"),
        ("curl -d @- http://x/ <<EOF", "standard input: write it into the command"),
        ("curl -m soon http://x/", "'soon' is not a time"),
        ('curl ^"http://x/^"', "Windows shell"),
    ],
)
def test_what_is_no_curl_command_is_one_line_and_exit_code_3(command, text, words):
    done = command("import", "curl", text) if text.startswith("curl ") else None
    if done is not None:
        assert done.returncode == 3
        assert len(done.stderr.splitlines()) == 1
        assert words in done.stderr
    with pytest.raises(LoadError, match=words.replace("(", r"\(")):
        import_source("curl", text)


@pytest.mark.processes
@pytest.mark.parametrize(
    "name",
    [
        '"""\nimport os',
        "ünï cödé",
        "\u202eevil\u2066",
        "a'b\"c\\d",
        "{x!r}",
        "\x00\x1b[31m",
        "class",
        "x" * 2_000,
        "%00",
    ],
)
def test_hostile_names_are_text_and_nothing_else(importing, target, name):
    quoted = "'" + name.replace("'", "'\\''") + "'"
    importing("curl", f"curl http://x/{quoted} -H 'X-Name: a' --data-raw {quoted}", secrets=())

    assert len(target.asked) == 1


@given(st.text(max_size=60))
@example('"""')
@example("\\")
@example("\ud7ff\u2028{}")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_text_between_single_quotes_is_one_word(text):
    (found,) = commands("curl '" + text.replace("'", "'\\''") + "'")

    assert found.words == ["curl", text]
