"""Visitors of a shop: they look around, log in and buy."""

import random
import time

from locust import HttpUser, between, events, tag, task

PRODUCTS = list(range(1, 21))


@events.test_start.add_listener
def announce(environment, **kwargs):
    print("the test begins")


class ShopUser(HttpUser):
    host = "http://localhost:8080"
    wait_time = between(1, 2.5)
    user_name = "ada"

    def on_start(self):
        # the form has a token
        page = self.client.get("/login")
        self.token = page.text.split('value="')[1].split('"')[0]
        self.log_in(self.user_name, password="analytical")
        self.bought = 0

    def log_in(self, name, password):
        self.client.post(
            "/login",
            {"user": name, "password": password, "csrf_token": self.token},
        )

    @task(3)
    def look(self):
        self.client.get("/")
        for number in random.sample(PRODUCTS, 2):
            self.client.get(f"/products/{number}", name="/products/[id]")

    @tag("checkout", "slow")
    @task
    def buy(self):
        with self.client.post("/basket", json={"id": 3}, catch_response=True) as response:
            # the basket has at least one thing
            if response.json()["size"] < 1:
                response.failure("the basket is empty")
            elif response.elapsed.total_seconds() > 30:
                response.failure(f"took {response.elapsed}")
        self.bought += 1
        self.client.post("/checkout")

    @task
    def look_for_nothing(self):
        with self.client.get("/products/0", catch_response=True) as response:
            if response.status_code == 404:
                response.success()

    def on_stop(self):
        time.sleep(0.001)
        self.client.get("/", name=f"goodbye {self.bought}")
