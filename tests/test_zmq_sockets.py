"""The sockets of one end of a fleet: where they bind, what they are called, what is left when they are not closed."""

import gc
import socket

import pytest
import zmq

from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.master_socket import MasterSocket
from chaperon.cluster.transport.worker_socket import WorkerSocket
from chaperon.cluster.transport.zmq_sockets import Sockets
from chaperon.cluster.worker.join import Identity, Join
from chaperon.errors import UsageError
from chaperon.testing import VirtualClock


def test_sockets_that_become_garbage_do_not_wait_for_each_other():
    sockets = Sockets(None)
    sockets.open(zmq.PUSH).connect("tcp://127.0.0.1:9")
    sockets.cycle = sockets

    del sockets

    assert gc.collect() > 0


def test_a_local_socket_in_use_is_not_taken_from_its_master(tmp_path):
    address = Address.parse(f"ipc://{tmp_path / 'm'}")
    first = MasterSocket(address)

    with pytest.raises(UsageError, match=r"ipc://.*/m is in use: give --bind another path"):
        MasterSocket(address)

    first.close()
    MasterSocket(address).close()


def test_a_local_socket_left_by_a_killed_master_is_used_again(tmp_path):
    path = tmp_path / "m"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()

    MasterSocket(Address.parse(f"ipc://{path}")).close()


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("ipc:///nowhere/m", "cannot bind ipc:///nowhere/m: No such file or directory"),
        ("tcp://203.0.113.9:7000", "cannot bind tcp://203.0.113.9:7000: this machine has no such address; "),
    ],
)
def test_an_address_that_cannot_be_bound_is_said_once(address, line):
    with pytest.raises(UsageError) as failed:
        MasterSocket(Address.parse(address))

    assert str(failed.value).startswith(line)
    assert str(failed.value).count(address) == 1


@pytest.mark.parametrize("name", ["\u00e4" * 200, "\U0001f600" * 200, "x" * 300, "a/b"])
def test_a_worker_of_any_name_has_a_routing_id_that_fits(name):
    identity = Identity(name, 2**53 - 1)
    link = WorkerSocket(Address("127.0.0.1", 9), identity.routing_id)

    assert identity.routing_id.endswith(b"/%d" % (2**53 - 1))
    assert identity.routing_id.decode()[:3] == identity.name[:3]
    link.close()


def test_what_hinders_a_worker_is_known_before_its_host_has_answered_and_forgotten_once_it_has(tmp_path):
    said, address = [], Address.parse(f"ipc://{tmp_path / 'm'}")
    link = WorkerSocket(address, b"alpha/1")
    link.listen(lambda message: None, lambda exc: None, lambda why, final: said.append((why, final)))
    link.close()
    final = []
    join = Join(link, Identity("alpha", 1), lambda welcome, data: None, VirtualClock(), final.append, timeout=0.0)

    join.on_refused(*said[0])
    join._check_timeout(4.0)
    join.on_connected()
    join._check_timeout(4.0)

    assert (
        final[0].why
        == f"no connection to {address}: its host is down or unknown, or drops what is sent to it, after 4 s"
    )
    assert final[1].why.startswith("the master has not admitted this worker: ")
