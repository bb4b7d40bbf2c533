from locust import SequentialTaskSet, TaskSet, constant, constant_pacing, task
from locust.contrib.fasthttp import FastHttpUser


def index(l):
    l.client.get("/")


class Reading(TaskSet):
    """Read one thread after another."""

    wait_time = constant(0.001)

    def on_start(self):
        self.client.get("/products", name="list of threads")

    @task(5)
    def thread(self):
        self.client.get("/products/3", headers={"X-Of": self.user.section})

    @task(2)
    class Posting(SequentialTaskSet):
        @task
        def write(self):
            self.client.get("/products/5")

        @task
        def send(self):
            self.client.get("/products/6")
            self.interrupt()

    @task(1)
    def leave(self):
        self.interrupt()


class Base(FastHttpUser):
    abstract = True
    host = "http://localhost:8080"
    section = "tea"


class Reader(Base):
    weight = 3
    wait_time = constant_pacing(2)
    tasks = {Reading: 2, index: 1}


class Bot(Base):
    wait_time = lambda self: 5
    connection_timeout = 3

    @task
    def crawl(self):
        assert self.environment is not None if False else True
        self.client.get("/")
