"""Customers log in, each as another user, put things into a basket and pay; others just look.

chaperon local examples/shop.py
chaperon local examples/shop.py --rate 20 --hold 30s
"""

from chaperon import Environment, Scenario, between, feed, mix, run, step, users

people = feed("people.csv", order="unique")


def setup():
    from servers.shop import serving

    return serving()


def init(session):
    person = session.take(people)  # when there are no more, this user is done
    token = session.get("/login").find(r'name="csrf_token" value="(\w+)"')
    session.post("/login", data={**person, "csrf_token": token}, expect=200)


@step(think=between("10ms", "50ms"))
def browse(session):
    products = session.get("/products").json_at("products")
    session.assign(product=session.random.choice(products)["id"])


@step(think="20ms")
def fill_basket(session):
    response = session.post("/basket", json={"id": session.assigned.product})
    session.record("basket", response.json_at("size"), unit="things")


@step
def pay(session):
    response = session.post("/checkout")
    session.check("the basket had a price", response.json_at("total") > 0)


buyer = Scenario(browse, fill_basket, browse, fill_basket, pay, init=init)
window_shopper = Scenario(browse)

environment = Environment(
    scenarios=[
        run(
            mix({window_shopper: 3, buyer: 1}, name="customers"),
            users(40, ramp="2s", hold="3s", think=between("100ms", "300ms")),
        )
    ],
    setup=setup,
    limits=["p95 < 500ms", "errors < 1%"],
)
