"""A known secret is hidden however it is encoded, wrapped or cut; what stands beside it stays."""

import html
import json
import unicodedata
from base64 import b64encode, encodebytes
from http.cookies import SimpleCookie
from itertools import product
from time import process_time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from thorough import examples, some

from chaperon import Environment, Scenario, run, step
from chaperon.client.http.extract import Extractors
from chaperon.measure.plain_text import encodable
from chaperon.report.redaction.redaction import Redactor

SECRETS = [
    'hé/ad+er"1&=x', "s3t t\\ing'<2>%", 'pässw/ord+3"&~', "Tok-EN.abcDEF123==", "it's \"both\" secret",
    "x/y/z-9-secret", "sécrète-word", "P@ss|w_rd*1#2", "p%40ss+word<x>", "🔑-key-of-4",
]  # fmt: skip


def of_characters(form):
    return lambda text: "".join(each if each.isascii() and each.isalnum() else form(each) for each in text)


def in_cookie(text):
    cookie = SimpleCookie()
    cookie["a"] = text
    return cookie["a"].OutputString()[2:].strip('"')


ENCODINGS = {
    "in a URL": lambda s: quote(s, safe=""),
    "in a form": quote_plus,
    "by encodeURIComponent": lambda s: quote(s, safe="!'()*~-_."),
    "by encodeURI": lambda s: quote(s, safe=";,/?:@&=+$-_.!~*'()#"),
    "by requests": lambda s: quote(s, safe="!#$&'()*+,/:;=?@[]~"),
    "every byte of a URL": lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
    "in lower case": lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
    "in a URL in a URL": lambda s: quote(quote(s, safe=""), safe=""),
    "in a URL in a URL in a URL": lambda s: quote(quote(quote(s, safe=""), safe=""), safe=""),
    "in HTML": html.escape,
    "in HTML with numbers": of_characters(lambda c: f"&#{ord(c)};"),
    "in HTML with hexadecimal numbers": of_characters(lambda c: f"&#x{ord(c):X};"),
    "in XML": lambda s: html.escape(s).replace("&#x27;", "&apos;"),
    "in JSON": lambda s: json.dumps(s)[1:-1],
    "in JSON of PHP": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "in JSON of Go": lambda s: "".join(f"\\u{ord(c):04X}" if c in "<>&" else json.dumps(c)[1:-1] for c in s),
    "in JSON in HTML": lambda s: html.escape(json.dumps(s)[1:-1]),
    "in HTML in JSON": lambda s: json.dumps(html.escape(s))[1:-1],
    "in JSON in JSON": lambda s: json.dumps(json.dumps(s)[1:-1])[1:-1],
    "in a URL in JSON in HTML": lambda s: html.escape(json.dumps(f"/?q={quote(s)}"))[10:-6],
    "as repr": lambda s: repr(f"'\"{s}")[4:-1],
    "as ascii": lambda s: ascii(s)[1:-1],
    "as repr of repr": lambda s: repr(repr(f"'\"¦{s}¦")).split("¦")[1],
    "as bytes": lambda s: repr(b"'\"" + s.encode())[5:-1],
    "as bytes of Latin-1": lambda s: repr(s.encode("latin-1", "xmlcharrefreplace"))[2:-1],
    "as Latin-1": lambda s: s.encode().decode("latin-1"),
    "with backslashes": lambda s: s.encode("ascii", "backslashreplace").decode(),
    "with references": lambda s: s.encode("ascii", "xmlcharrefreplace").decode(),
    "in Markdown": of_characters(lambda c: f"\\{c}"),
    "in a cookie": in_cookie,
    "in hex": lambda s: s.encode().hex(),
    "in two lines": lambda s: f"{s[:5]}\n{s[5:]}",
    "indented": lambda s: f"{s[:6]}\r\n    {s[6:]}",
    "in escaped lines": lambda s: f"{s[:5]}\\n{s[5:]}",
}


@pytest.mark.parametrize(("secret", "encoding"), some(product(SECRETS, ENCODINGS), 3))
def test_a_known_secret_is_hidden_in_every_encoding(secret, encoding):
    for before, after in (("got ", " back"), ('{"a": "', '", "b": 2}'), ("/x?q=", "&r=1")):
        hidden = Redactor([secret])(f"{before}{ENCODINGS[encoding](secret)}{after}")

        assert hidden == f"{before}***{after}"


LAYERS = [
    quote,
    quote_plus,
    html.escape,
    lambda s: json.dumps(s)[1:-1],
    lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
]


@example("0000000000\\\\", [quote, quote, quote])
@example("000000\\\\\\\\\\\\\\\\", [quote, quote, LAYERS[3]])
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=12, max_size=20).filter(str.strip),
    st.lists(st.sampled_from(LAYERS), max_size=3),
)
@settings(max_examples=examples(200), deadline=None)
def test_up_to_three_layers_of_encoding_hide_no_secret(text, layers):
    secret = f"s-{text}-s"
    encoded = secret
    for layer in layers:
        encoded = layer(encoded)

    assert Redactor([secret])(f"got {encoded} back") == "got *** back"


@pytest.mark.parametrize("secret", [secret for secret in SECRETS if any(map(str.isdigit, secret))])
def test_a_host_name_in_lower_case_hides_no_secret_with_a_digit(secret):
    assert Redactor([secret])(f"no host {secret.lower()}.test") == "no host ***.test"


def test_words_in_other_case_are_no_secret():
    assert Redactor(["Checkout"])("GET /checkout, Checkout") == "GET /checkout, ***"


def test_the_label_of_a_host_in_idna_is_hidden():
    assert Redactor(["sécrète"])(f"no host {'sécrète'.encode('idna').decode()}.test") == "no host ***.test"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_secret_is_hidden_in_each_normal_form(form):
    secret = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "pässwörd")

    assert Redactor([secret])(f"it is {unicodedata.normalize(form, secret)}") == "it is ***"


def test_base64_that_is_wrapped_is_hidden():
    secret = "a-token-of-some-length-47"
    wrapped = encodebytes(f"{'x' * 50}{secret}{'y' * 40}".encode()).decode()
    flat = b64encode(f"{'x' * 50}{secret}{'y' * 40}".encode()).decode()

    hidden = Redactor([secret])(wrapped)

    assert "\n" in wrapped[:-1]
    assert hidden.startswith(wrapped[:60])
    assert not any(flat[at : at + 8] in hidden.replace("\n", "") for at in range(68, 98))


@pytest.mark.parametrize("form", [str, quote, lambda s: json.dumps(s)[1:-1], html.escape])
@pytest.mark.parametrize("secret", SECRETS[:7])
def test_a_secret_before_an_ellipsis_within_a_text_is_hidden(secret, form):
    whole = form(f"got {secret}")

    for most in range(len(form("got ")) + 5, len(whole)):
        shown = Redactor([secret])(f"{encodable(whole, most)}: write something else")

        assert shown == f"{form('got ')}***…: write something else", most


@pytest.mark.parametrize("text", ["acme%20inc", "/acme/", "a\\nacme", "&quot;acme&quot;", "q=acme+inc"])
def test_a_short_secret_is_a_whole_word_of_the_text_without_escapes(text):
    assert Redactor(["acme"])(text) != text
    assert Redactor(["acme"])(text.replace("acme", "acmes")) == text.replace("acme", "acmes")


@pytest.mark.parametrize("count", [1, 500])
def test_searching_takes_time_by_the_text(count):
    hide = Redactor([f"secret-{number}-{number**5}" for number in range(count)])
    text = json.dumps({"words": "<a href='/x?y=%20+z'>\n&amp;</a>" * 1000, "one": "secret-0-0"})

    began = process_time()
    hidden = hide.hide_known(text)

    assert process_time() - began < 2.0
    assert hidden == text.replace("secret-0-0", "***")


class Answer(Extractors):
    """An answer with this text, which says where it came from."""

    url = "http://h"

    def __init__(self, said):
        self.text = f"it is {said}"
        self.json = lambda: {"a": said}


CUTTERS = {
    "a value that is no text": lambda session, said: session.get("/").fail([said]),
    "a pattern that is not found": lambda session, said: Answer(said).find("nothing of it"),
    "a path that is not found": lambda session, said: Answer(said).json_at("a.b"),
    "a form that is not there": lambda session, said: Answer(said).form("login"),
    "a check without a name": lambda session, said: session.check([said], "name"),
    "a check of a function": lambda session, said: session.check(f"{'x' * 40}{said}", lambda: True),
    "what expect returned": lambda session, said: session.get("/", expect=lambda response: said),
}


@pytest.mark.parametrize("cutter", CUTTERS)
def test_the_part_of_a_secret_that_a_message_shows_is_hidden(cutter, target):
    secret = f"a-token-{'0123456789' * 20}"

    @step
    def look(session):
        CUTTERS[cutter](session, secret)

    environment = Environment(target.url, headers={"X-Own": secret}, scenarios=[run(Scenario(look))])
    report = environment.execute()

    assert report.errors, cutter
    assert any("***" in error.sample for error in report.errors)
    assert "a-token" not in repr(report.errors)
