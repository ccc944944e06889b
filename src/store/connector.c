#include "store/connector.h"

#include "base/clock.h"
#include "base/log.h"

#define FIRST_PAUSE_US (50 * 1000)
#define LAST_PAUSE_US (2 * USEC_PER_SEC)
#define IDLE_US USEC_PER_SEC

void connector_init(
    struct connector *connector, struct db *borrows, atomic_int *borrows_n_connected)
{
    *connector = (struct connector){.db = borrows, .n_connected = borrows_n_connected};
}

static void count(struct connector *c, bool connected)
{
    if (connected == c->connected)
        return;
    c->connected = connected;
    int others = atomic_fetch_add(c->n_connected, connected ? 1 : -1) - (connected ? 0 : 1);
    if (others == 0)
        log_event(
            connected ? LOG_INFO : LOG_ERROR, connected ? "database_reached" : "database_away");
}

void connector_done(struct connector *connector)
{
    if (connector->connected)
        atomic_fetch_sub(connector->n_connected, 1);
    connector->connected = false;
}

static bool try_now(struct connector *c)
{
    if (db_connect(c->db, c->pause_us ? LOG_DEBUG : LOG_WARN)) {
        c->pause_us = 0;
        return true;
    }
    c->pause_us = c->pause_us ? c->pause_us * 2 : FIRST_PAUSE_US;
    if (c->pause_us > LAST_PAUSE_US)
        c->pause_us = LAST_PAUSE_US;
    /* Threads that lost the database together shall not come back together: 75 to 125 %. */
    int64_t now = clock_mono_us();
    c->next_try_us = now + c->pause_us * (75 + now % 51) / 100;
    return false;
}

bool connector_ready(struct connector *connector)
{
    bool ready = db_is_alive(connector->db);

    if (!ready && clock_mono_us() >= connector->next_try_us)
        ready = try_now(connector);
    count(connector, ready);
    return ready;
}

bool connector_any(const struct connector *connector)
{
    return atomic_load(connector->n_connected) > 0;
}

int64_t connector_patience_us(const struct connector *connector)
{
    int64_t left = connector->next_try_us - clock_mono_us();

    if (connector->pause_us == 0)
        return IDLE_US;
    return left > 1000 ? left : 1000;
}
