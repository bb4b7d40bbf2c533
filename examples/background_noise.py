"""Two users who search, with background requests whose rate grows by 2.5 % every second.

chaperon local examples/background_noise.py
chaperon local examples/background_noise.py --set seconds=60 --set rate=100
"""

from chaperon import Environment, Scenario, run, step, users


def setup():
    from servers.search import serving

    return serving()


def init(session):
    session.assign(rate=session.config["rate"])


def search(session, words):
    session.get("/", params={"q": words})


def post_data(session):
    session.post("/", json={"message": "hello, world!"})


@step
def look_up(session):
    session.spawn(search, "foo")
    session.spawn(search, "bar")
    session.join("search")  # both


@step
def make_noise(session):
    if not session.config["post_data"]:
        return
    for _ in session.loop(session.config["seconds"], pace=1):
        session.spread(post_data, rate=session.assigned.rate, per=1)  # does not block
        session.gauge("noise rate", session.assigned.rate)
        session.update_assign(rate=lambda rate: rate * 1.025)


background_noise = Scenario(look_up, make_noise, init=init)

environment = Environment(
    scenarios=[run(background_noise, users(2))],
    config={"rate": 25.0, "seconds": 10, "post_data": True},
    setup=setup,
    limits=["errors < 1%"],
)
