"""Simulated workers: they say what workers say, and send windows that were recorded before."""

from __future__ import annotations

import sys
import time
from random import Random

import zmq

from chaperon._version import VERSION
from chaperon.cluster.protocol.codec import decode, encode
from chaperon.cluster.protocol.messages import Hello, Lease, Offer, Ping, Pong, Welcome, WindowFrame
from chaperon.cluster.transport.address import Address
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Key, Sample
from chaperon.measure.window_codec import pack_window

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
    """One worker, as far as its master can tell."""

    def __init__(self, name: str, context: zmq.Context[zmq.Socket[bytes]], address: Address) -> None:
        self.name = name
        self.run = 0
        self.began: float | None = None
        self.cut = 0
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.ROUTING_ID, f"{name}/1".encode())
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address.control)
        self._socket.send(encode(Hello(name, 1, VERSION, "3.11", "host", 1, 1.0)))

    def ping(self, claims: tuple[Lease, ...] = ()) -> None:
        """Say what a worker says twice a second."""
        state = "ready" if self.began is None else "sending"
        self._socket.send(encode(Ping(self.name, 1, self.run, state, time.perf_counter(), "", claims, cut=self.cut)))

    def due(self, after: float) -> float:
        """Return when its next window is to be sent: each second, so long *after* its beginning."""
        return float("inf") if self.began is None else self.began + self.cut + 1 + after

    def hear(self) -> None:
        """Take in what the master has said."""
        while self._socket.poll(0):
            message = decode(self._socket.recv())
            if isinstance(message, Welcome):
                self.run = message.run
            elif isinstance(message, Pong) and message.order == "run":
                self.began = message.began


def main() -> None:
    """Play until the process is ended."""
    address, workers, series, samples = Address.parse(sys.argv[1]), *map(int, sys.argv[2:5])
    recorded = bodies(series, samples, RECORDED)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    context.set(zmq.MAX_SOCKETS, 20_000)
    players = [Player(f"p{n}", context, address) for n in range(workers)]
    sink, work = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    sink.connect(address.sink)
    work.connect(address.work)
    turn = 0
    next_ping = 0.0
    while True:
        now = time.perf_counter()  # the clock of the master, who is on this machine
        while work.poll(0):
            offer = decode(work.recv())
            assert isinstance(offer, Offer)
            turn += 1
            players[turn % workers].ping((offer.lease,))
        for place, player in enumerate(players):
            player.hear()
            if player.cut < len(recorded) and player.due(place / workers) <= now:
                sink.send(encode(WindowFrame(player.name, 1, player.run, player.cut + 1, recorded[player.cut])))
                player.cut += 1
        if now >= next_ping:
            next_ping = now + 0.5
            for player in players:
                if player.run:
                    player.ping()
        time.sleep(0.002)


if __name__ == "__main__":
    main()
