"""A load test inside a small gevent app that keeps serving meanwhile.

Run it:  python examples/embedded.py
"""

from gevent import monkey

monkey.patch_all()

from gevent.pywsgi import WSGIServer  # noqa: E402 - after the patch

from chaperon import Environment, Scenario, Verdict, rate, run, step  # noqa: E402


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


@step
def greet(session):
    session.get("/")


def main(seconds=3):
    server = WSGIServer(("127.0.0.1", 0), app, log=None)
    server.start()
    environment = Environment(
        f"http://127.0.0.1:{server.server_port}",
        scenarios=[run(Scenario(greet, name="greeting"), rate(50, hold=seconds))],
        limits=["p95(GET /) < 500ms"],
    )
    with environment.start() as running:
        while not running.wait(timeout=1):
            print("so far:", running.pulse().requests, "requests")  # the app goes on serving all the while
    report = running.report()
    print(report.verdict.value, report["GET /", "greeting"])
    server.stop()
    assert report.verdict is Verdict.PASS
    return report


if __name__ == "__main__":
    main()
