"""A notification on its way while servers and the database are killed: everybody gets it once."""

import random
import time

import pytest

from test_kill import HEALED_SECONDS, KILLS

PATH = "/v1/notifications"
USERS = 1500
RATE = 500


@pytest.fixture
def crowd(victim, look_into):
    """Users whom the database makes, so that there are many at once."""
    db = look_into(victim)
    prefix = f"crowd-{random.randrange(1 << 40)}-"
    db.execute(
        "select count(duet.user_put(%s || i, null, null, null, null, null, null, null, null, null, null))"
        " from generate_series(1, %s) as i",
        (prefix, USERS),
    )
    return prefix


def start(api):
    reply = api.post(PATH, {"to": {"all": True}, "text": "Tea!", "rate_per_second": RATE})
    assert reply.status == 202, reply
    return reply.json["id"]


def wait_for(server, api, number, delivered=0, state="done"):
    def reached():
        reply = api.get(f"{PATH}/{number}")
        if reply.status != 200:
            return False
        return reply.json["delivered"] >= delivered or reply.json["state"] == state

    server.wait_until(reached, timeout=60, what=f"{delivered} deliveries")


def check(db, crowd, number):
    """Each user of the crowd has one, mailboxes have no gaps, and the job knows it."""
    by_copies = db.execute(
        "select coalesce(m.n, 0), count(*) from duet.app_user u"
        " left join (select owner, count(*) as n from duet.mailbox"
        "            where kind = 2 and target_seq = %s group by 1) m on m.owner = u.user_no"
        " where u.user_id like %s group by 1",
        (number, crowd + "%"),
    ).fetchall()
    assert by_copies == [(1, USERS)]
    (gaps,) = db.execute(
        "select count(*) from duet.mailbox_head h join"
        " (select owner, count(*) n, max(seq) last from duet.mailbox group by 1) m using (owner)"
        " where (h.last_seq, h.last_seq) <> (m.n, m.last)"
    ).fetchone()
    assert gaps == 0
    (state, told, found) = db.execute(
        "select state, delivered, (select count(*) from duet.mailbox"
        " where kind = 2 and target_seq = notification_no)"
        " from duet.notification where notification_no = %s",
        (number,),
    ).fetchone()
    assert (state, told) == ("done", found)


def test_killed_servers_leave_nobody_out(victim, start_on, look_into, client_of, crowd):
    servers = [start_on(victim), start_on(victim)]
    number = start(client_of(servers[0]))
    for kill in range(2 * KILLS):
        time.sleep(random.uniform(0.1, 0.5))
        servers[kill % 2].kill()
        servers[kill % 2] = start_on(victim)
    api = client_of(servers[0])
    wait_for(servers[0], api, number, delivered=1 << 40)
    check(look_into(victim), crowd, number)


@pytest.mark.parametrize("how", ["kill -9", "immediate"])
def test_a_killed_database_leaves_nobody_out(victim, start_on, look_into, client_of, crowd, how):
    server = start_on(victim)
    api = client_of(server)
    number = start(api)
    for kill in range(KILLS):
        wait_for(server, api, number, delivered=(kill + 1) * USERS // (KILLS + 2))
        if how == "kill -9":
            victim.kill()
        else:
            victim.stop(how)
        victim.start()
        server.wait_ready(HEALED_SECONDS)
    wait_for(server, api, number, delivered=1 << 40)
    check(look_into(victim), crowd, number)
