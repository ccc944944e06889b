#include "http/connections.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define SHORT_US (USEC_PER_SEC / 20)
/* The deadline and the reaper's next walk, with room for a busy machine. */
#define SOON_MS 2000
/* Longer than a short deadline and the walk behind it. */
#define LATER_MS 500
/* Two seconds of walks, and one more. */
#define STUCK_MS 3500
#define LIMIT 4

struct pair {
    int server;
    int client;
};

static struct pair pair_open(void)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return (struct pair){fds[0], fds[1]};
}

static void pair_close(struct pair pair)
{
    close(pair.server);
    close(pair.client);
}

static bool is_cut(struct pair pair, int within_ms)
{
    struct pollfd client = {.fd = pair.client, .events = POLLIN};
    char byte;

    return poll(&client, 1, within_ms) == 1 && recv(pair.client, &byte, 1, MSG_DONTWAIT) == 0;
}

/* Deadlines are short where a test names the phase, and none elsewhere. */
static struct connections *with_short(enum connection_phase phase)
{
    int64_t timeout_us[CONNECTION_PHASES] = {0};

    timeout_us[phase] = SHORT_US;
    struct connections *connections = connections_new(LIMIT, LIMIT - 1, timeout_us);
    assert_non_null(connections);
    return connections;
}

static void each_phase_is_cut_off_at_its_deadline(void **state)
{
    (void)state;
    for (int phase = 0; phase < CONNECTION_PHASES; phase++) {
        struct connections *connections = with_short((enum connection_phase)phase);
        struct pair pair = pair_open();
        struct connection *connection = connections_open(connections, pair.server);
        connections_phase(connection, (enum connection_phase)phase);
        assert_true(is_cut(pair, SOON_MS));
        connections_close(connections, connection);
        pair_close(pair);
        connections_free(connections);
    }
}

static void a_phase_without_a_deadline_lasts(void **state)
{
    struct connections *connections = with_short(CONNECTION_HEAD);
    struct pair pair = pair_open();
    struct connection *connection = connections_open(connections, pair.server);

    (void)state;
    connections_phase(connection, CONNECTION_WORK);
    assert_false(is_cut(pair, LATER_MS));
    connections_close(connections, connection);
    pair_close(pair);
    connections_free(connections);
}

static void repeating_a_phase_does_not_put_off_its_deadline(void **state)
{
    struct connections *connections = with_short(CONNECTION_BODY);
    struct pair pair = pair_open();
    struct connection *connection = connections_open(connections, pair.server);
    int64_t end_us = clock_mono_us() + SOON_MS * 1000;
    bool cut = false;

    (void)state;
    while (!cut && clock_mono_us() < end_us) {
        connections_phase(connection, CONNECTION_BODY);
        cut = is_cut(pair, 10);
    }
    assert_true(cut);
    connections_close(connections, connection);
    pair_close(pair);
    connections_free(connections);
}

/* `reading`: it does not keep up with the client, but goes on. */
static bool is_cut_with_bytes_unread(bool reading)
{
    const int64_t timeouts_us[CONNECTION_PHASES] = {[CONNECTION_BODY] = 60 * USEC_PER_SEC};
    struct connections *connections = connections_new(LIMIT, LIMIT - 1, timeouts_us);
    struct pair pair = pair_open();
    struct connection *connection = connections_open(connections, pair.server);
    int64_t end_us = clock_mono_us() + STUCK_MS * 1000;
    bool cut = false;

    assert_int_equal(write(pair.client, "xx", 2), 2);
    connections_phase(connection, CONNECTION_BODY);
    while (!cut && clock_mono_us() < end_us) {
        if (reading)
            connections_body_goes_on(connection);
        cut = is_cut(pair, 50);
    }
    connections_close(connections, connection);
    pair_close(pair);
    connections_free(connections);
    return cut;
}

static void a_body_that_is_not_read_any_more_is_cut_off(void **state)
{
    (void)state;
    assert_true(is_cut_with_bytes_unread(false));
    assert_false(is_cut_with_bytes_unread(true));
}

static void a_closed_connection_is_left_alone(void **state)
{
    struct connections *connections = with_short(CONNECTION_HEAD);
    struct pair pair = pair_open();

    (void)state;
    connections_close(connections, connections_open(connections, pair.server));
    assert_false(is_cut(pair, LATER_MS));
    pair_close(pair);
    connections_free(connections);
}

static void after_stop_nothing_is_cut_off(void **state)
{
    struct connections *connections = with_short(CONNECTION_HEAD);
    struct pair pair = pair_open();
    struct connection *connection = connections_open(connections, pair.server);

    (void)state;
    connections_stop(connections);
    connections_stop(connections);
    assert_false(is_cut(pair, LATER_MS));
    connections_close(connections, connection);
    pair_close(pair);
    connections_free(connections);
}

static void who_is_late_at_the_end_is_hurried(void **state)
{
    struct connections *connections = with_short(CONNECTION_WORK);
    struct pair arriving = pair_open();
    struct pair working = pair_open();
    struct connection *late = connections_open(connections, arriving.server);
    struct connection *busy = connections_open(connections, working.server);

    (void)state;
    connections_phase(late, CONNECTION_BODY);
    connections_phase(busy, CONNECTION_REPLY);
    connections_hurry(connections, 1000);
    assert_true(is_cut(arriving, LATER_MS));
    assert_false(is_cut(working, LATER_MS));
    connections_close(connections, late);
    connections_close(connections, busy);
    pair_close(arriving);
    pair_close(working);
    connections_stop(connections);
    connections_free(connections);
}

static void the_soft_limit_comes_before_the_limit(void **state)
{
    struct connections *connections = with_short(CONNECTION_WORK);
    struct connection *opened[LIMIT];
    struct pair pair = pair_open();

    (void)state;
    assert_int_equal(connections_count(connections), 0);
    for (size_t i = 0; i < LIMIT; i++) {
        opened[i] = connections_open(connections, pair.server);
        assert_non_null(opened[i]);
        assert_int_equal(connections_count(connections), i + 1);
        assert_int_equal(connection_is_crowded(opened[i]), i + 1 > LIMIT - 1);
    }
    /* Who came early stays welcome; who comes into a gap is not, as long as it is the only one. */
    assert_false(connection_is_crowded(opened[0]));
    connections_close(connections, opened[0]);
    opened[0] = connections_open(connections, pair.server);
    assert_non_null(opened[0]);
    assert_true(connection_is_crowded(opened[0]));

    assert_null(connections_open(connections, pair.server));
    assert_true(is_cut(pair, 0));
    assert_int_equal(connections_count(connections), LIMIT);
    connections_phase(NULL, CONNECTION_BODY);
    connections_close(connections, NULL);

    for (size_t i = 0; i < LIMIT; i++)
        connections_close(connections, opened[i]);
    assert_int_equal(connections_count(connections), 0);
    pair_close(pair);
    connections_free(connections);
    connections_free(NULL);
}

#define CROWD_THREADS 4
#define CROWD_US (USEC_PER_SEC * 3 / 4)

struct crowd {
    struct connections *connections;
    atomic_int n_cut_alive; /* connections that were cut off though never late */
};

/* Opens, serves and closes as an HTTP thread does; every second one falls asleep in its body. */
static void *crowd_thread(void *argument)
{
    struct crowd *crowd = argument;
    int64_t end_us = clock_mono_us() + CROWD_US;

    while (clock_mono_us() < end_us) {
        struct pair awake = pair_open();
        struct pair asleep = pair_open();
        struct connection *one = connections_open(crowd->connections, awake.server);
        struct connection *two = connections_open(crowd->connections, asleep.server);
        connections_phase(two, CONNECTION_BODY);
        for (int request = 0; request < 1000; request++) {
            connections_phase(one, CONNECTION_HEAD);
            connections_phase(one, CONNECTION_WORK);
            connections_phase(one, CONNECTION_REPLY);
            connections_phase(one, CONNECTION_IDLE);
        }
        if (is_cut(awake, 0))
            atomic_fetch_add(&crowd->n_cut_alive, 1);
        connections_close(crowd->connections, one);
        connections_close(crowd->connections, two);
        pair_close(awake);
        pair_close(asleep);
    }
    return NULL;
}

static void many_threads_may_change_phases_at_once(void **state)
{
    const int64_t timeout_us[CONNECTION_PHASES] = {
        [CONNECTION_HEAD] = 60 * USEC_PER_SEC,
        [CONNECTION_BODY] = 1,
        [CONNECTION_REPLY] = 60 * USEC_PER_SEC,
        [CONNECTION_IDLE] = 60 * USEC_PER_SEC,
    };
    struct crowd crowd = {.connections = connections_new(10000, 9000, timeout_us)};
    pthread_t threads[CROWD_THREADS];

    (void)state;
    for (size_t i = 0; i < CROWD_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_thread, &crowd), 0);
    for (size_t i = 0; i < CROWD_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.n_cut_alive, 0);
    assert_int_equal(connections_count(crowd.connections), 0);
    connections_free(crowd.connections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_phase_is_cut_off_at_its_deadline),
        cmocka_unit_test(a_phase_without_a_deadline_lasts),
        cmocka_unit_test(repeating_a_phase_does_not_put_off_its_deadline),
        cmocka_unit_test(a_body_that_is_not_read_any_more_is_cut_off),
        cmocka_unit_test(a_closed_connection_is_left_alone),
        cmocka_unit_test(after_stop_nothing_is_cut_off),
        cmocka_unit_test(who_is_late_at_the_end_is_hurried),
        cmocka_unit_test(the_soft_limit_comes_before_the_limit),
        cmocka_unit_test(many_threads_may_change_phases_at_once),
    };

    return cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
