"""The sockets of one end of a fleet: what is left of them when they are not closed."""

import gc

import zmq

from chaperon.cluster.transport.zmq_sockets import Sockets


def test_sockets_that_become_garbage_do_not_wait_for_each_other():
    sockets = Sockets(None)
    sockets.open(zmq.PUSH).connect("tcp://127.0.0.1:9")
    sockets.cycle = sockets

    del sockets

    assert gc.collect() > 0
