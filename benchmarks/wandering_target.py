"""An HTTP target that answers in 20 to 50 ms, no two seconds alike: `python -m benchmarks.wandering_target SLOWER`.

The median of its service times wanders from second to second about 30 ms, made slower by a share
(first-order autoregression of the logarithm, correlation 0.7, standard deviation 0.06). It prints its
port and ends when standard input does.
"""

from __future__ import annotations

import asyncio
import math
import sys
from random import Random

MEDIAN, SPREAD = 0.03, 0.15
"""Median of the service times in seconds, standard deviation of their logarithm within a second."""
CORRELATION, WANDER = 0.7, 0.06
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Target:
    """Answers every request after a service time of its own; the level of a second is drawn once."""

    def __init__(self, slower: float) -> None:
        self._chance = Random()
        self._mean = math.log(MEDIAN * (1 + slower))
        self._level = self._chance.gauss(0, WANDER)

    def __repr__(self) -> str:
        return f"<Target of {1000 * math.exp(self._mean):.1f} ms>"

    async def wander(self) -> None:
        """Draw the level of each second. Never returns."""
        while True:
            await asyncio.sleep(1)
            fresh = self._chance.gauss(0, WANDER * math.sqrt(1 - CORRELATION**2))
            self._level = CORRELATION * self._level + fresh

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it ends."""
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(self._chance.lognormvariate(self._mean + self._level, SPREAD))
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main(slower: float) -> None:
    """Serve on a free loopback port until standard input ends."""
    target = Target(slower)
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    wandering = asyncio.create_task(target.wander())
    await asyncio.to_thread(sys.stdin.read)
    wandering.cancel()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
