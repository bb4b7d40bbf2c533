from locust import HttpUser, LoadTestShape, SequentialTaskSet, between, task

STAGES = [
    {"duration": 30, "users": 10, "spawn_rate": 1},
    {"duration": 60, "users": 40, "spawn_rate": 10},
    {"duration": 90, "users": 5, "spawn_rate": 10},
]


class Checkout(SequentialTaskSet):
    @task
    def first(self):
        self.client.get("/products")

    @task
    def second(self):
        self.page = self.client.get("/login").text
        if "csrf" not in self.page:
            raise ValueError("""no token
  in this page""")


class Buyer(HttpUser):
    tasks = [Checkout]
    wait_time = between(0.001, 0.002)
    host = "http://localhost:8080"


class Steps(LoadTestShape):
    def tick(self):
        run_time = self.get_run_time()
        for stage in STAGES:
            if run_time < stage["duration"]:
                return stage["users"], stage["spawn_rate"]
        return None
