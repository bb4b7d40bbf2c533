"""A shop: a login with a token in its form, products as JSON, a basket for each user who is logged in."""

import html
import json
from collections import Counter
from http.cookies import SimpleCookie
from secrets import token_hex
from urllib.parse import parse_qs

from . import serve_alone, served

counts = Counter()
PRODUCTS = [{"id": n, "name": f"thing {n}", "price": 5 * n} for n in range(1, 21)]
LOGIN = """<!doctype html><title>shop</title>
<form method="post" action="/login" id="login">
  <input type="hidden" name="csrf_token" value="{token}">
  <input name="user"><input name="password" type="password"><button>log in</button>
</form>"""

_tokens = set()
_users = {}
_baskets = {}


def application(environ, start_response):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    counts[f"{method} {path}"] += 1
    body = environ["wsgi.input"].read().decode()
    cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("shop")
    user = _users.get(cookie.value) if cookie else None
    status, headers, reply = _answer(method, path, body, user)
    start_response(status, headers)
    return [reply.encode()]


def _answer(method, path, body, user):
    page, data = [("Content-Type", "text/html; charset=utf-8")], [("Content-Type", "application/json")]
    match method, path:
        case "GET", "/login":
            token = token_hex(8)
            _tokens.add(token)
            return "200 OK", page, LOGIN.format(token=token)
        case "POST", "/login":
            return _log_in({name: values[0] for name, values in parse_qs(body).items()}, page)
        case "GET" | "HEAD", "/":
            return "200 OK", page, "<h1>a shop</h1>"
        case "GET", "/products":
            return "200 OK", data, json.dumps({"products": PRODUCTS})
        case "GET", _ if path.startswith("/products/"):
            found = [product for product in PRODUCTS if str(product["id"]) == path.rpartition("/")[2]]
            return ("200 OK", data, json.dumps(found[0])) if found else ("404 Not Found", data, "{}")
        case _ if user is None:
            return "401 Unauthorized", data, json.dumps({"error": "log in first"})
        case "POST", "/basket":
            basket = _baskets.setdefault(user, [])
            basket.append(json.loads(body)["id"])
            return "201 Created", data, json.dumps({"size": len(basket)})
        case "POST", "/checkout":
            sold = _baskets.pop(user, [])
            total = sum(product["price"] for product in PRODUCTS if product["id"] in sold)
            return "200 OK", data, json.dumps({"total": total, "buyer": html.escape(user)})
    return "404 Not Found", data, json.dumps({"error": "no such page"})


def _log_in(form, page):
    if form.get("csrf_token") not in _tokens or not form.get("user"):
        return "403 Forbidden", page, "the form is stale"
    _tokens.discard(form["csrf_token"])
    counts[f"login of {form['user']}"] += 1
    ticket = token_hex(8)
    _users[ticket] = form["user"]
    return "200 OK", [*page, ("Set-Cookie", f"shop={ticket}; Path=/; HttpOnly")], f"hello {html.escape(form['user'])}"


def serving(port=0):
    """Serve as long as the block lasts."""
    return served(application, port)


if __name__ == "__main__":
    serve_alone(serving)
