#include "store/connector.h"

#include "base/clock.h"
#include "base/log.h"

#define FIRST_PAUSE_US (50 * 1000)
#define LAST_PAUSE_US (2 * USEC_PER_SEC)
#define IDLE_US USEC_PER_SEC

void connector_init(struct connector *connector, struct db *borrows, atomic_bool *borrows_available)
{
    *connector = (struct connector){.db = borrows, .available = borrows_available};
}

static bool try_now(struct connector *c)
{
    bool connected = db_connect(c->db, c->pause_us ? LOG_INFO : LOG_WARN);

    if (atomic_exchange(c->available, connected) != connected)
        log_event(
            connected ? LOG_INFO : LOG_ERROR, connected ? "database_reached" : "database_away");
    if (connected) {
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
    if (db_is_alive(connector->db))
        return true;
    return clock_mono_us() >= connector->next_try_us && try_now(connector);
}

int64_t connector_patience_us(const struct connector *connector)
{
    int64_t left = connector->next_try_us - clock_mono_us();

    if (connector->pause_us == 0)
        return IDLE_US;
    return left > 1000 ? left : 1000;
}
