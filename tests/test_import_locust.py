"""`chaperon import locust`: three locustfiles, and each habit of Locust's with what it becomes."""

import re
import textwrap
from pathlib import Path

import pytest

from chaperon.errors import LoadError
from chaperon.importing.kinds import import_source
from chaperon.importing.locust_file.stages import simplified
from chaperon.load.expression import read_load

LOCUSTFILES = Path(__file__).parent / "locustfiles"
EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def shop(monkeypatch):
    """The shop of the examples, as it is served."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from servers import served
    from servers import shop as module

    module.counts.clear()
    with served(module.application) as given:
        module.url = given["url"]
        yield module


@pytest.mark.processes
@pytest.mark.parametrize("name", ["shop", "forum", "sequence"])
def test_a_locustfile_becomes_a_scenario_file_that_passes_check(importing, shop, name):
    text = importing(
        "locust", (LOCUSTFILES / f"{name}.py").read_text(), suffix="py", secrets=["PASSWORD"], url=shop.url
    )

    assert "locust import" not in text
    assert "self" not in text.partition('"""\n')[2].replace("self.environment", "")


@pytest.mark.processes
def test_tasks_weights_and_waits_are_those_of_the_locustfile():
    made = import_source("locust", (LOCUSTFILES / "shop.py").read_text())

    assert "{look: 3, buy: 1, look_for_nothing: 1}" in made.text
    assert 'think=between("1s", "2.5s")' in made.text
    assert 'response.fail(f"took {response.elapsed}")' in made.text
    assert "expect=lambda response: response.ok or response.status_code == 404" in made.text
    assert "# the form has a token" in made.text
    assert made.remarks == ("line 12: the listener announce",)


@pytest.mark.processes
def test_what_could_not_be_carried_over_is_named_with_its_line():
    made = import_source("locust", (LOCUSTFILES / "forum.py").read_text())

    assert made.remarks == (
        "line 49: the wait time of Bot: lambda self: 5; give think= or pacing= to the load",
        "line 51: Bot.connection_timeout",
        "line 55: self.environment",
    )
    assert all(each in made.text for each in made.remarks)


def imported(body, *, head="", shape=""):
    """Return the module for a user with one method of this body."""
    lines = textwrap.indent(textwrap.dedent(body), " " * 8)
    method = f"    @task\n    def t(self):\n{lines}\n"
    text = f"from locust import *\n{head}\nclass Visitor(HttpUser):\n    host = 'http://x'\n{method}{shape}"
    return import_source("locust", text).text


@pytest.mark.processes
@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("self.client.get('/a')", 'session.get("/a")'),
        ("self.client.request('PUT', '/a', data=b'x')", 'session.request("PUT", "/a", data=b"x")'),
        ("self.client.headers['A'] = 'b'", 'session.headers["A"] = "b"'),
        ("self.client.headers.update({'A': 'b'})", 'session.headers.update({"A": "b"})'),
        ("self.client.cookies.clear()", "session.http.cookies.clear()"),
        ("self.client.get('/a', catch_response=False)", 'session.get("/a")'),
        ("self.a = 1", "session.assign(a=1)"),
        ("self.a: int = 1", "session.assign(a=1)"),
        (
            "self.a = self.client.get(f'/{self.a}/{self.b:>3}').json()",
            'session.assign(a=session.get(f"/{session.assigned.a}/{session.assigned.b:>3}").json())',
        ),
        ("self.a += 1", 'session.assigned["a"] += 1'),
        ("self.user.a = 1", "session.assign(a=1)"),
        ("self.cart.append(self.a)", "session.assigned.cart.append(session.assigned.a)"),
        ("helper(self)", "helper(session)"),
        ("raise StopUser()", 'session.abort("the user stopped")'),
        ("raise exception.RescheduleTask", "return"),
        (
            "with self.client.get('/a', catch_response=True) as r:\n    r.failure('no')\nx = 1",
            'r = session.get("/a")\n    r.fail("no")\n    x = 1',
        ),
        (
            "with self.client.get('/a', name='n', catch_response=True) as r: r.success()",
            'session.get("/a", name="n", expect=lambda r: True)',
        ),
        (
            "with self.client.get('/a', catch_response=True) as r:\n"
            "    with self.client.get('/b', catch_response=True) as q:\n        r.failure(q.text)",
            'r = session.get("/a")\n    q = session.get("/b")\n    r.fail(str(q.text))',
        ),
        (
            "with self.rest('GET', '/a', json={}) as r:\n    if r.js['a']:\n        r.failure('b')",
            'r = session.request("GET", "/a", json={})\n    if r.json()["a"]:\n        r.fail("b")',
        ),
        (
            "if True:\n    with self.client.get('/ü', catch_response=True) as r:\n        y = r",
            'if True:\n        r = session.get("/ü")\n        y = r',
        ),
    ],
)
def test_each_habit_has_its_place(body, wanted):
    text = imported(body, head="def helper(user):\n    user.client.get('/h')\n")

    assert f"    {wanted}\n" in text


MIXED = """
from locust import HttpUser, FastHttpUser, MarkovTaskSet, constant, task, transition
from elsewhere import Base

FastHttpUser.host = "http://x"


class Shared:
    @task
    def first(self):
        self.client.get("/first")


class Unused:
    @task
    def never(self):
        self.client.get("/never")


class Data:
    x = 1


class Set(Base):
    @task
    def second(self):
        self.client.get("/second", params={"x": Data.x})


class Chain(MarkovTaskSet):
    @transition("fourth")
    def third(self):
        self.client.get("/third")

    @transition("third")
    def fourth(self):
        self.client.get("/fourth")


class Visitor(Shared, HttpUser):
    wait_time = constant(0)
    tasks = [Set, Chain]


class Other(HttpUser):
    tasks = [Base]
"""


@pytest.mark.processes
def test_classes_whose_tasks_a_user_has_are_not_kept_beside_these(importing, target):
    text = importing("locust", MIXED.replace("from elsewhere import Base", "Base = object"), suffix="py")

    assert target.asked
    assert set(target.asked) <= {"GET /first", "GET /second", "GET /third", "GET /fourth"}
    assert "class Data" in text
    assert not any(f"class {name}" in text for name in ("Shared", "Unused", "Set", "Chain"))
    assert "FastHttpUser" not in text.partition('"""\n')[2]
    for said in (
        "line 5: FastHttpUser.host = 'http://x'",
        "the tasks of Unused: no user has them",
        "the transitions of Chain: its tasks are drawn at random",
        "the task Base",
    ):
        assert said in importing.remarks


@pytest.mark.processes
def test_a_function_that_is_given_the_user_is_given_the_session():
    text = imported("helper(self)", head="def helper(user, n=1):\n    user.client.get('/h')\n")

    assert 'def helper(session, n=1):\n    session.get("/h")\n' in text


SHAPE = """
class Shape(LoadTestShape):
    limit = 60
{}
"""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("tick", "loads"),
    [
        ("if self.get_run_time() < self.limit: return (10, 100)", [(1, 10), (59, 10)]),
        ("t = self.get_run_time()\nif t >= 60: return None\nreturn (round(t), 100)", [(60, 59)]),
        ("t = self.get_run_time()\nreturn (20, 2) if t < 30 else None", [(10, 20), (20, 20)]),
    ],
)
def test_a_shape_becomes_stages(tick, loads):
    body = "    def tick(self):\n" + textwrap.indent(tick, " " * 8)
    text = imported("self.client.get('/')", shape=SHAPE.format(body))

    start = text.index("stages(", text.index("run("))
    pieces = read_load(text[start : text.index("of=users", start)] + "of=users)").curve.segments
    assert sum(span for span, _ in loads) == pytest.approx(60 if len(loads) != 2 or loads[0][0] == 1 else 30, abs=1.5)
    assert pieces


@pytest.mark.processes
@pytest.mark.parametrize(
    ("tick", "reason"),
    [
        ("return (10, 1)", "does not end within 86,400 s"),
        ("return open('/etc/passwd')", "line"),
        ("while True: pass", "line"),
        ("return ('a' * 10 ** 10, 1)", "the operator Mult"),
        ("return (1 / 0, 1)", "tick raises ZeroDivisionError after 0 s"),
        ("import os", "line"),
        ("return None", "it starts no user"),
    ],
)
def test_a_shape_that_cannot_be_computed_is_a_remark(tick, reason):
    body = "    def tick(self):\n" + textwrap.indent(tick, " " * 8)
    text = imported("self.client.get('/')", shape=SHAPE.format(body))

    assert "the load of Shape" in text
    assert reason in text
    assert 'users(10, hold="1m")' in text


def test_a_curve_is_followed_within_half_a_user_or_a_hundredth():
    import math

    levels = [100 + 100 * math.sin(second / 20) for second in range(300)]

    stages = simplified([0.0, *levels])

    at, low, high = 0, 0.0, 0.0
    for span, level in stages:
        for second in range(1, int(span) + 1):
            low = high + (level - high) * second / span
            assert abs(low - [0.0, *levels][at + second]) <= 3.0
        at, high = at + int(span), level
    assert len(stages) < 60


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:", "line 1: "),
        ("x = 1", "no class that derives from HttpUser"),
        ("", "no class that derives from HttpUser"),
        ("\x00", "line"),
    ],
)
def test_what_is_no_locustfile_is_a_load_error(text, words):
    with pytest.raises(LoadError, match=words):
        import_source("locust", text)


@pytest.mark.processes
def test_nothing_of_a_locustfile_is_run(tmp_path):
    trace = tmp_path / "trace"
    user = "class U(HttpUser):\n    @task\n    def t(self): self.client.get('/')\n"
    text = f"from locust import *\nopen({str(trace)!r}, 'w')\n{user}"

    import_source("locust", text)

    assert not trace.exists()


@pytest.mark.processes
@pytest.mark.parametrize(
    ("statement", "written"),
    [
        ("self.client.post('/', json={'password': 'hunter2222'})", "{'password': session.config[\"password\"]}"),
        ("self.client.get('/', headers={'Authorization': 'Bearer abc'})", "f\"Bearer {session.config['api_token']}\""),
        ("self.client.get('/', headers={'X-Api-Key': 'abc'})", "{'X-Api-Key': session.config[\"x_api_key\"]}"),
        ("self.client.get('/', auth=('ada', 'hunter2222'))", "auth=('ada', session.config[\"password\"])"),
        ("self.token = 'abc'", 'session.assign(token=session.config["token"])'),
        ("password = 'hunter2222'; self.client.get('/', data=password)", 'password = session.config["password"]'),
        ("self.client.get('/', data=self.api_key)", 'data=session.config["api_key"]'),
    ],
)
def test_texts_that_are_secrets_become_references(statement, written):
    key = "" if "api_key" not in statement else 'api_key = "attribute-of-a-class"'

    made = import_source("locust", USER.format(statement=statement, attribute=key))

    assert written.replace("'", '"') in made.text.replace("'", '"')
    (variable,) = re.findall(r"^  ([A-Z_]+)$", made.text, re.MULTILINE)
    assert f'"{variable.lower()}": secret("env:{variable}")' in made.text
    assert not re.search(r"hunter2222|['\"]abc['\"]|attribute-of-a-class", made.text)


@pytest.mark.processes
def test_a_secret_of_the_module_is_named():
    source = "PASSWORD = 'hunter2222'\n" + USER.format(statement="self.client.get('/')", attribute="")

    made = import_source("locust", source)

    assert made.remarks == ("line 1: PASSWORD stays in the file: give it in config=, as secret('env:PASSWORD')",)


USER = """from locust import HttpUser, task

class Shopper(HttpUser):
    {attribute}

    @task
    def buy(self):
        {statement}
"""


FIXED = """
from locust import *


class Shop(HttpUser):
    weight = 3

    @task
    def look(self):
        self.client.get("/")


class Admin(HttpUser):
    fixed_count = 2

    @task
    def work(self):
        self.client.get("/admin")
"""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("shape", "loads"),
    [
        ("", ['users(30, hold="1m")', 'users(2, hold="1m")']),
        (
            """

class Shape(LoadTestShape):
    def tick(self):
        if self.get_run_time() < 10:
            return (12, 12)
        return None
""",
            ['stages(("1s", 10), ("9s", 10), of=users)', 'users(2, hold="10s")'],
        ),
    ],
    ids=["weights", "shape"],
)
def test_a_fixed_number_of_users_is_no_weight(shape, loads):
    text = import_source("locust", FIXED + shape).text

    assert [load in text for load in loads] == [True, True], text
