"""Every device of a user sees the same entries in the same order, with no gap and none twice, whatever happens
meanwhile: for TEST_SECONDS (60) eight users write, edit, recall, remove, read and block on two servers, three
devices each follow, log in, log out and lose the network, servers are killed and stopped, PostgreSQL is killed
and restarted. TEST_SEED repeats a run as far as threads allow; `./dev soak SECONDS` runs for longer."""

import os
import random
import re
import threading
import time

import pytest

from soak.device import Device
from soak.world import World, faults_of_device, faults_of_history, faults_of_order

SECONDS = float(os.environ.get("TEST_SECONDS", "60"))
SEED = os.environ.get("TEST_SEED") or f"{random.getrandbits(32):x}"
DEVICES = 3
SETTLE_SECONDS = 60


class Chaos(threading.Thread):
    """Takes things away, and gives them back."""

    def __init__(self, world, cluster, start, seed):
        super().__init__(daemon=True)
        self.world = world
        self.cluster = cluster
        self.start_server = start
        self.random = random.Random(seed)
        self.done = []
        self.fault = None

    def run(self):
        acts = {
            self._kill_server: 3,
            self._stop_server: 2,
            self._kill_database: 1,
            self._restart_database: 2,
            self._lose_networks: 6,
        }
        try:
            while not self.world.ending.wait(self.random.uniform(0.5, 3)):
                act = self.random.choices(list(acts), list(acts.values()))[0]
                self.done.append(act.__name__)
                act()
        except Exception as fault:  # pylint: disable=broad-except; raised by the test
            self.fault = fault

    def _replace(self, end):
        place = self.random.randrange(len(self.world.servers))
        old = self.world.servers[place]
        end(old)
        self.world.servers[place] = self.start_server(ready=False)

    def _kill_server(self):
        self._replace(lambda server: server.kill())

    def _stop_server(self):
        self._replace(lambda server: server.stop())

    def _kill_database(self):
        self.cluster.kill()
        self.cluster.start()

    def _restart_database(self):
        self.cluster.stop(self.random.choice(("fast", "immediate")))
        self.cluster.start()

    def _lose_networks(self):
        for device in self.world.devices:
            if self.random.random() < 0.3:
                device.lose_network()


@pytest.fixture
def cluster(start_cluster):
    return start_cluster()


def wait_until(condition, what):
    end = time.monotonic() + SETTLE_SECONDS
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.1)


def one_of_each(faults):
    """The first of those that differ in nothing but numbers and places."""
    kinds = {}
    for fault in map(str, faults):
        kinds.setdefault(re.sub(r"[0-9a-f]*\d[0-9a-f]*", "N", fault.partition(": ")[2]), fault)
    return list(kinds.values())[:30]


def test_all_devices_see_the_same(cluster, start_server, contract, capsys):
    with capsys.disabled():
        print(f"\nTEST_SEED={SEED}, {SECONDS:.0f} s", flush=True)

    def start(ready=True):
        url = cluster.url("duet_server")
        return start_server(DUET_USER_RATE=0, ready=ready, DUET_DATABASE_URL=url)

    world = World([start(), start()], contract, SEED)
    world.make_users()
    world.devices = [
        Device(world, user, f"device-{n}", f"{SEED} {user} {n}")
        for user in world.users
        for n in range(DEVICES)
    ]
    chaos = Chaos(world, cluster, start, f"{SEED} chaos")
    threads = [*world.writers, *world.devices, chaos]
    for thread in threads:
        thread.start()
    world.ending.wait(SECONDS)
    world.ending.set()
    for thread in [*world.writers, chaos]:
        thread.join(120)
        assert not thread.is_alive()
    if chaos.fault:
        raise chaos.fault
    for server in world.servers:
        server.wait_ready()

    mailboxes = {user: world.entries_of(user) for user in world.users}
    wait_until(
        lambda: all(d.position == mailboxes[d.user][1] or d.complaints for d in world.devices),
        lambda: [(d.name, d.position, mailboxes[d.user][1]) for d in world.devices],
    )
    for device in world.devices:
        device.end()
        device.join(10)

    faults = [c for thread in [*world.writers, *world.devices] for c in thread.complaints]
    for user, (entries, _) in mailboxes.items():
        faults += faults_of_history(world, user, world.history_of(user))
        faults += faults_of_order(world, user, entries)
    for device in world.devices:
        faults += faults_of_device(device, *mailboxes[device.user])
    calls = sum((writer.calls for writer in world.writers), start=type(world.writers[0].calls)())
    with capsys.disabled():
        print(f"{dict(calls)}; {len(chaos.done)} times chaos;", end=" ")
        print(f"{sum(d.connects for d in world.devices)} streams", flush=True)
    assert not faults, f"TEST_SEED={SEED}\n" + "\n".join(map(str, one_of_each(faults)))
    assert len(world.messages) > SECONDS, "hardly anything was sent"
