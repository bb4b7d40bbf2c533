"""Secrets from variables and files: read when a run begins, sent to workers, masked in everything."""

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperon import Environment, LoadError, Service, secret, step
from chaperon.execution.secrets.secret_references import SecretReference, header_reference, is_reference, reference_of

TOKEN, PASSWORD, PIN = "sesame-of-the-test-99", "open says me", "4711"
SHOP = """
from chaperon import Environment, secret, step


@step
def go(session):
    password, pin = session.config.get("password"), session.config.get("pin")
    session.log.info("token %s, password %s, pin %s", "{TOKEN}", password, pin)
    print("printed", session.config.get("password"))
    session.record(f"value {{session.config.get('password')}}", 1.0)
    session.get("/bad", params={{"q": session.config.get("password")}})
    raise ValueError(session.config.get("password"))


production = Environment(scenarios=[go], headers={{"X-Api": secret("env:TOKEN")}}, config={{"pin": secret("@pin.txt")}})
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    (tmp_path / "shop.py").write_text(SHOP.format(TOKEN=TOKEN))
    (tmp_path / "password.txt").write_text(f"{PASSWORD}\n")
    (tmp_path / "pin.txt").write_text(PIN)
    monkeypatch.setenv("TOKEN", TOKEN)
    return tmp_path


GIVEN = ("--header", "Authorization: Bearer env:TOKEN", "--set", "password=@password.txt")
OUTPUTS = (
    "--json",
    "out.json",
    "--html",
    "out.html",
    "--run-file",
    "out.run",
    "--log-file",
    "out.log",
    "--junit",
    "o.xml",
)
SHAPES = [(), ("--processes", "2")]


@pytest.mark.parametrize("processes", SHAPES, ids=["one", "workers"])
def test_secrets_are_sent_and_stand_in_no_output(processes, process, shop, target):
    words = ("--iterations", "2", "--users", "2", *processes, "--log", "info", *OUTPUTS, *GIVEN)
    done = process("local", "shop.py", "--url", target.url, *words, "--trust", "late=off")

    sent = [(each["HTTP_AUTHORIZATION"], each["HTTP_X_API"]) for each in target.headers]
    assert sent == [(f"Bearer {TOKEN}", TOKEN)] * 2
    texts = [done.stdout, done.stderr, *(path.read_bytes().decode("latin-1") for path in shop.glob("o*.*"))]
    assert len(texts) == 7
    assert not [text for text in texts for value in (TOKEN, PASSWORD, PASSWORD.replace(" ", "+")) if value in text]
    assert "token ***, password ***, pin ***" in (shop / "out.log").read_text()
    assert json.loads((shop / "out.json").read_text())["verdict"]


def test_check_reads_secrets_and_masks_them_in_what_it_prints(command, shop, target):
    done = command("check", "shop.py", "--url", target.url, "--verbose", *GIVEN)

    assert done.returncode == 4
    assert target.headers[0]["HTTP_AUTHORIZATION"] == f"Bearer {TOKEN}"
    assert TOKEN not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert "ValueError: ***" in done.stdout


@pytest.mark.parametrize("words", [("ls", "shop.py"), ("plan", "shop.py", *GIVEN)], ids=lambda words: words[0])
def test_what_sends_nothing_reads_no_secret(words, command, shop, monkeypatch):
    monkeypatch.delenv("TOKEN")
    (shop / "password.txt").unlink()
    (shop / "pin.txt").unlink()

    assert command(*words).returncode == 0


MISSING = {
    "variable": ("TOKEN", None, ("--header", "X: env:TOKEN"), "header X: the environment variable TOKEN is not set"),
    "empty variable": ("TOKEN", "", ("--header", "X: env:TOKEN"), "header X: the environment variable TOKEN is empty"),
    "file": ("A", "", ("--set", "a.b=@none"), "--set a b: cannot read the secret in none: No such file or directory"),
    "folder": ("A", "", ("--set", "a=@."), "--set a: cannot read the secret in .: Is a directory"),
    "empty file": ("A", "", ("--set", "a=@empty"), "--set a: the secret in empty is empty"),
    "binary file": (
        "A",
        "",
        ("--set", "a=@binary"),
        "--set a: cannot read the secret in binary: it is not text in UTF-8",
    ),
    "large file": ("A", "", ("--set", "a=@large"), "--set a: large is no secret: it has more than 65,536 bytes"),
    "lines": ("A", "x\ny", ("--header", "X: env:A"), "header X: env:A has a line break, or characters beyond Latin-1"),
}


@pytest.mark.parametrize(("name", "value", "words", "message"), MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("name_of_command", ["local", "check"])
def test_a_secret_that_cannot_be_read_is_one_line_and_exit_code_3(
    name_of_command, name, value, words, message, command, target, tmp_path, monkeypatch
):
    (tmp_path / "shop.py").write_text("from chaperon import step\n\n@step\ndef go(session):\n    session.get('/')\n")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_text("x" * 70_000)
    monkeypatch.delenv(name, raising=False)
    if value is not None:
        monkeypatch.setenv(name, value)

    done = command(name_of_command, "shop.py", "--url", target.url, *words)

    assert (done.returncode, target.asked) == (3, [])
    assert [line for line in done.stderr.splitlines() if message in line] == done.stderr.splitlines()[-1:]
    assert done.stderr.count("\n") == 1


MEANINGS = [
    ("env:TOKEN", "secret('env:TOKEN')"),
    ("@a/b", "secret('@a/b')"),
    ("env::TOKEN", "'env:TOKEN'"),
    ("env:::x", "'env::x'"),
    ("@@shop", "'@shop'"),
    ("@@@x", "'@@x'"),
    ("env:", "'env:'"),
    ("@", "'@'"),
    ("me@shop", "'me@shop'"),
    ("", "''"),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_a_value_of_the_command_line_is_a_reference_or_text(text, meaning):
    assert repr(reference_of(text)) == meaning
    assert repr(header_reference("X-Api-Key", text)) == meaning


@pytest.mark.long
@given(st.text())
def test_every_text_can_be_given_by_its_escape(text):
    for start in ("env:", "@"):
        assert reference_of(f"{start}{start[-1]}{text}") == f"{start}{text}"
        assert not is_reference(f"{start}{start[-1]}{text}")


def test_a_scheme_may_stand_before_a_reference_in_authorization_alone(monkeypatch):
    monkeypatch.setenv("TOKEN", TOKEN)

    assert header_reference("authorization", "Bearer env:TOKEN").text() == f"Bearer {TOKEN}"
    assert header_reference("Proxy-Authorization", "Basic env:TOKEN").text() == f"Basic {TOKEN}"
    assert header_reference("Authorization", "Bearer env::x") == "Bearer env::x"
    assert header_reference("X-Contact", "mail @someone") == "mail @someone"


def environment(**settings):
    @step
    def go(session):
        session.get("/")

    return Environment("http://127.0.0.1:1", scenarios=[go], **settings)


def test_references_stand_in_headers_auth_config_and_services(monkeypatch):
    monkeypatch.setenv("TOKEN", TOKEN)
    token = secret("env:TOKEN")
    made = environment(
        headers={"A": secret("env:TOKEN", prefix="Bearer ")},
        auth=("me", token),
        config={"deep": {"list": [1, token], "pair": (token,)}},
        services={"other": Service("http://127.0.0.1:2", headers={"B": token})},
    )

    plan = made.plan()

    assert plan.services["default"].headers == {"A": f"Bearer {TOKEN}"}
    assert plan.services["default"].auth == ("me", TOKEN)
    assert plan.services["other"].headers == {"B": TOKEN}
    assert plan.config == {"deep": {"list": [1, TOKEN], "pair": (TOKEN,)}}
    assert TOKEN in plan.secrets
    assert not any(TOKEN in secret for secret in made.secrets)
    assert TOKEN not in repr(made) + repr(plan) + repr(token)


def test_a_master_sends_the_values_and_a_worker_reads_none(monkeypatch):
    monkeypatch.setenv("TOKEN", TOKEN)
    sent = environment(headers={"A": secret("env:TOKEN")}).plan().resolved_secrets
    assert sent == {"env:TOKEN": TOKEN}

    monkeypatch.setenv("TOKEN", "of the worker")
    assert environment(headers={"A": secret("env:TOKEN")}).plan(sent).services["default"].headers == {"A": TOKEN}
    with pytest.raises(LoadError, match="the master has sent no secret env:OTHER"):
        environment(headers={"A": secret("env:OTHER")}).plan(sent)


def test_a_reference_is_read_once_and_its_value_is_neither_pickled_nor_text(tmp_path):
    file = tmp_path / "pin"
    file.write_text("1234\r\n")
    made = secret(f"@{file}")

    assert made.read() == "1234"
    file.write_text("9999")
    assert made.read() == "1234"
    assert b"1234" not in pickle.dumps(made)
    assert isinstance(pickle.loads(pickle.dumps(made)), SecretReference)
    for use in (str, "{}".format, lambda value: f"Bearer {value}", lambda value: "%s" % value):  # noqa: UP031
        with pytest.raises(LoadError, match="prefix='Bearer '"):
            use(made)


@pytest.mark.parametrize("reference", ["sesame", "env:", "env::TOKEN", "@", "@@x", "", 7, None])
def test_the_secret_itself_is_refused_and_not_shown(reference):
    with pytest.raises(LoadError, match="the place of a secret, not the secret itself") as raised:
        secret(reference)

    assert "sesame" not in str(raised.value)


def test_the_example_of_the_documentation_is_accepted():
    text = (Path(__file__).resolve().parent.parent / "docs" / "secrets.md").read_text()
    block = text.partition("```python\n")[2].partition("```")[0]
    names = {}
    exec(block, names)

    assert repr(names["production"].headers["Authorization"]) == "secret('env:TOKEN')"
