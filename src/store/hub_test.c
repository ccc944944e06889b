#include "store/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A watch that notes what it is told. */
struct noting {
    struct watch watch;
    int n_taken, n_woken;
    bool over;
    enum err_code end;
};

static void take(struct watch *watch, struct piece *piece, enum err_code end)
{
    struct noting *n = (struct noting *)watch;

    n->n_taken += piece != NULL;
    n->end = end;
}

static void wake(struct watch *watch, bool over)
{
    struct noting *n = (struct noting *)watch;

    n->n_woken++;
    n->over = over;
}

static enum err_code ends(const struct watch *watch, const void *record)
{
    (void)watch;
    return strcmp(record, "last") == 0 ? ERR_UNAUTHENTICATED : ERR_NONE;
}

static void add_stream(struct hub *hub, struct noting *n, int64_t owner, int64_t position)
{
    *n = (struct noting){
        .watch = {
            .take = take, .ends = ends, .owner = owner, .position = position, .stream_id = owner}};
    hub_add(hub, &n->watch);
}

static void add_request(struct hub *hub, struct noting *n, int64_t owner, int64_t until_us)
{
    *n = (struct noting){.watch = {.wake = wake, .owner = owner, .until_us = until_us}};
    hub_add(hub, &n->watch);
}

static size_t take_pairs(struct hub *hub, struct hub_pair *pairs)
{
    int64_t oldest;

    return hub_take_pairs(hub, pairs, 10, &oldest);
}

static size_t deliver(struct hub *hub, int64_t owner, int64_t after, int64_t reached, bool more)
{
    struct piece *piece = piece_new(TEXT("x"));
    const struct hub_news news = {
        .pair = {owner, after}, .reached = reached, .more = more, .piece = piece};

    size_t n = hub_deliver(hub, &news);
    piece_drop(piece);
    return n;
}

static void a_parked_stream_is_read_for_when_it_is_woken(void **state)
{
    struct hub *hub = hub_new();
    struct noting one;
    struct hub_pair pairs[10];

    (void)state;
    add_stream(hub, &one, 7, 3);
    hub_park(hub, &one.watch);
    assert_int_equal(take_pairs(hub, pairs), 0);
    hub_wake(hub, (int64_t[]){8, 7}, 2);
    hub_wake(hub, (int64_t[]){7}, 1);
    assert_int_equal(take_pairs(hub, pairs), 1);
    assert_int_equal(pairs[0].owner, 7);
    assert_int_equal(pairs[0].after, 3);
    assert_int_equal(deliver(hub, 7, 3, 5, false), 1);
    assert_int_equal(one.n_taken, 1);
    assert_int_equal(one.watch.position, 5);
    hub_park(hub, &one.watch);
    assert_int_equal(take_pairs(hub, pairs), 0);
    hub_remove(hub, &one.watch);
    hub_free(hub);
}

static void a_wake_up_of_a_busy_stream_is_remembered(void **state)
{
    struct hub *hub = hub_new();
    struct noting one;
    struct hub_pair pairs[10];

    (void)state;
    add_stream(hub, &one, 7, 3);
    hub_wake(hub, (int64_t[]){7}, 1);
    assert_int_equal(take_pairs(hub, pairs), 0);
    hub_park(hub, &one.watch);
    assert_int_equal(take_pairs(hub, pairs), 1);
    /* While it is read for: what is read may be from before. */
    hub_wake(hub, (int64_t[]){7}, 1);
    assert_int_equal(deliver(hub, 7, 3, 4, false), 1);
    hub_park(hub, &one.watch);
    assert_int_equal(take_pairs(hub, pairs), 1);
    assert_int_equal(pairs[0].after, 4);
    /* A page that was full. */
    assert_int_equal(deliver(hub, 7, 4, 6, true), 1);
    hub_park(hub, &one.watch);
    assert_int_equal(take_pairs(hub, pairs), 1);
    hub_remove(hub, &one.watch);
    hub_free(hub);
}

static void streams_at_one_place_are_read_for_together(void **state)
{
    struct hub *hub = hub_new();
    struct noting list[4];
    struct hub_pair pairs[10];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        add_stream(hub, &list[i], i < 3 ? 7 : 1031, i == 2 ? 1 : 5);
        hub_park(hub, &list[i].watch);
    }
    hub_wake_all(hub);
    assert_int_equal(take_pairs(hub, pairs), 3);
    assert_int_equal(deliver(hub, 7, 5, 6, false), 2);
    assert_int_equal(deliver(hub, 7, 1, 6, false), 1);
    assert_int_equal(list[3].n_taken, 0);
    /* What there was no answer for stands in line again. */
    hub_give_back(hub);
    assert_int_equal(take_pairs(hub, pairs), 1);
    assert_int_equal(pairs[0].owner, 1031);
    for (size_t i = 0; i < 4; i++)
        hub_remove(hub, &list[i].watch);
    assert_int_equal(hub_streams(hub), 0);
    hub_free(hub);
}

static void a_request_is_told_once_and_must_come_again(void **state)
{
    struct hub *hub = hub_new();
    struct noting one, two, three;

    (void)state;
    add_request(hub, &one, 7, 100);
    assert_true(hub_park(hub, &one.watch));
    hub_wake(hub, (int64_t[]){7}, 1);
    hub_wake(hub, (int64_t[]){7}, 1);
    assert_int_equal(one.n_woken, 1);
    assert_false(one.over);
    assert_int_equal(hub_waits(hub), 0);

    hub_add(hub, &one.watch);
    hub_wake(hub, (int64_t[]){7}, 1);
    assert_false(hub_park(hub, &one.watch)); /* there is something new: it is to look first */
    assert_true(hub_park(hub, &one.watch));
    hub_expire(hub, 99);
    assert_int_equal(one.n_woken, 1);
    hub_expire(hub, 100);
    assert_int_equal(one.n_woken, 2);
    assert_true(one.over);

    add_request(hub, &two, 7, 1000);
    assert_true(hub_park(hub, &two.watch));
    hub_stop(hub);
    assert_true(two.over);
    add_request(hub, &three, 7, 1000);
    assert_false(hub_park(hub, &three.watch));
    hub_remove(hub, &three.watch);
    hub_free(hub);
}

static void an_entry_may_be_the_last(void **state)
{
    struct hub *hub = hub_new();
    struct noting one;
    struct hub_pair pairs[10];
    const void *records[] = {"first", "last"};
    struct hub_news news = {.pair = {7, 0}, .reached = 2, .records = records, .n_records = 2};

    (void)state;
    add_stream(hub, &one, 7, 0);
    hub_wake(hub, (int64_t[]){7}, 1);
    hub_park(hub, &one.watch);
    assert_int_equal(take_pairs(hub, pairs), 1);
    hub_deliver(hub, &news);
    assert_int_equal(one.end, ERR_UNAUTHENTICATED);
    hub_remove(hub, &one.watch);
    hub_free(hub);
}

static void rows_are_renewed_in_turn_and_removed_once(void **state)
{
    enum { N = 1000 };
    struct hub *hub = hub_new();
    struct noting *list = calloc(N, sizeof(*list));
    struct hub_row rows[N + 1];

    (void)state;
    for (int i = 0; i < N; i++)
        add_stream(hub, &list[i], i + 1, 0);
    assert_int_equal(hub_take_due(hub, 10, 50, rows, 600), 600);
    assert_int_equal(rows[0].owner, 1);
    assert_int_equal(hub_take_due(hub, 10, 50, rows, 600), 400);
    assert_int_equal(rows[0].owner, 601);
    assert_int_equal(hub_take_due(hub, 10, 50, rows, 600), 0);
    hub_forget_renewals(hub);
    assert_int_equal(hub_take_due(hub, 10, 50, rows, N + 1), N);
    for (int i = 0; i < N; i++)
        hub_remove(hub, &list[i].watch);
    assert_int_equal(hub_take_gone(hub, rows, N + 1), N);
    assert_int_equal(hub_take_gone(hub, rows, N + 1), 0);
    assert_int_equal(hub_take_due(hub, 1000, 1000, rows, N + 1), 0);
    free(list);
    hub_free(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parked_stream_is_read_for_when_it_is_woken),
        cmocka_unit_test(a_wake_up_of_a_busy_stream_is_remembered),
        cmocka_unit_test(streams_at_one_place_are_read_for_together),
        cmocka_unit_test(a_request_is_told_once_and_must_come_again),
        cmocka_unit_test(an_entry_may_be_the_last),
        cmocka_unit_test(rows_are_renewed_in_turn_and_removed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
