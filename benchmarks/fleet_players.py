"""Simulated workers: they send the messages of workers, and windows that were recorded before."""

from __future__ import annotations

import os
import sys
import time
from random import Random

import zmq

from chaperon._version import VERSION
from chaperon.cluster.protocol.codec import decode, encode
from chaperon.cluster.protocol.messages import Hello, Lease, Offer, Ping, Pong, Welcome, WindowFrame
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.keys import WorkerKey, parse_key
from chaperon.measure.encoding.window_codec import pack_window
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Key, Sample

RECORDED = 120
"""Seconds for which there are windows."""


def bodies(series: int, samples: int, seconds: int) -> list[bytes]:
    """Return a number of recorded windows, packed: latencies of a service, log-normal."""
    chance = Random(7)
    recorder, packed = Recorder("player", began=0.0), []
    for second in range(seconds):
        for number in range(series):
            key, middle = Key("shop", f"GET /path/{number}"), chance.uniform(-6, -2)
            for _ in range(samples):
                took = chance.lognormvariate(middle, 0.6)
                recorder.record(Sample(key, second, second + took, None, chance.randrange(20_000)))
        for _ in range(samples):
            recorder.count_visit("shop", float(second), "planned")
            recorder.count_visit("shop", float(second), "done")
        packed.append(pack_window(recorder.cut(users=samples, health={"cpu": 0.5, "late_p99": 0.001}), began=0.0))
    return packed


class Player:
    """One worker, as far as its master can tell: three connections, and pings that list its shares."""

    def __init__(self, name: str, context: zmq.Context[zmq.Socket[bytes]], address: Address, key: WorkerKey) -> None:
        self.name = name
        self.run = 0
        self.began: float | None = None
        self.cut = 0
        self.next_ping = 0.0
        self._leases: tuple[Lease, ...] = ()
        self._control = self._connect(context, zmq.DEALER, address.control, key, ROUTING_ID=f"{name}/1".encode())
        self._work = self._connect(context, zmq.PULL, address.work, key, RCVHWM=1)
        self._sink = self._connect(context, zmq.PUSH, address.sink, key)
        self._control.send(encode(Hello(name, 1, VERSION, "3.11", "host", 1, 1.0)))

    @property
    def reads(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        """The sockets by which the master sends."""
        return self._control, self._work

    def ping(self, claims: tuple[Lease, ...] = ()) -> None:
        """Send what a worker sends with each claim, twice a second, and between two windows once it sends these."""
        state = "ready" if self.began is None else "sending"
        shares = tuple(lease._replace(start=lease.start + self.cut) for lease in self._leases)
        now = time.perf_counter()
        self._control.send(encode(Ping(self.name, 1, self.run, state, now, "", claims, shares, cut=self.cut)))

    def due(self, after: float) -> float:
        """Return when its next window is to be sent: each second, so long *after* its beginning."""
        return float("inf") if self.began is None else self.began + self.cut + 1 + after

    def send_window(self, body: bytes) -> None:
        """Send its next window."""
        self.cut += 1
        self._sink.send(encode(WindowFrame(self.name, 1, self.run, self.cut, body)))

    def receive(self, source: zmq.Socket[bytes]) -> None:
        """Handle a message of the master."""
        message = decode(source.recv())
        if isinstance(message, Offer):
            self.ping((message.lease,))
        elif isinstance(message, Welcome):
            self.run = message.run
            self.ping()
        elif isinstance(message, Pong):
            self._leases = message.leases
            if message.order == "run":
                self.began = message.began

    @staticmethod
    def _connect(
        context: zmq.Context[zmq.Socket[bytes]], kind: int, endpoint: str, key: WorkerKey, **options: int | bytes
    ) -> zmq.Socket[bytes]:
        socket = context.socket(kind)
        for name, value in {"LINGER": 0, **options}.items():
            socket.setsockopt(getattr(zmq, name), value)
        key.configure(socket)
        socket.connect(endpoint)
        return socket


def main() -> None:
    """Play until the process is ended."""
    address, workers, series, samples = Address.parse(sys.argv[1]), *map(int, sys.argv[2:5])
    key = parse_key(os.environ["PLAYERS_KEY"])
    assert isinstance(key, WorkerKey)
    recorded = bodies(series, samples, RECORDED)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    context.set(zmq.MAX_SOCKETS, 4 * workers)
    players = [Player(f"p{n}", context, address, key) for n in range(workers)]
    poller, readers = zmq.Poller(), {}
    for player in players:
        for socket in player.reads:
            poller.register(socket, zmq.POLLIN)
            readers[socket] = player
    while True:
        now = time.perf_counter()  # the clock of the master, which is on this machine
        for socket, _ in poller.poll(0):
            readers[socket].receive(socket)
        for place, player in enumerate(players):
            if player.cut < len(recorded) and player.due(place / workers) <= now:
                player.send_window(recorded[player.cut])
            if player.next_ping <= now and player.run:
                player.ping()
                begun = player.began is not None and player.began <= now
                player.next_ping = player.due(place / workers) + 0.5 if begun else now + 0.5
        time.sleep(0.002)


if __name__ == "__main__":
    main()
