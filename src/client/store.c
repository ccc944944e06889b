#include "client/store.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/memory.h"

#define SCHEMA_VERSION 1
#define DAY_MS INT64_C(86400000)

/* A message's place among those with its peer is (day, seq, sub). What the mailbox has brought has
 * its own number, and 0. What the history has brought has none: it takes the number of the message
 * above it, or on a day's top that of the position, and goes below by sub. A place, once taken, is
 * kept. */
static const char schema[] =
    "create table meta (name text primary key, value) without rowid;"
    "create table message ("
    " id text primary key,"
    " peer text not null,"
    " day integer not null,"
    " seq integer not null,"
    " sub integer not null,"
    " sent_at integer not null,"
    " joined integer not null,"
    " cursor text,"
    " deleted integer not null default 0,"
    " body text not null);"
    "create index message_place on message (peer, day, seq, sub);"
    "create table peer (peer text primary key, top_joined integer not null) without rowid;"
    "create table conversation ("
    " peer text primary key,"
    " rank integer not null,"
    " read_up_to integer not null,"
    " peer_read_up_to integer not null,"
    " body text not null) without rowid;"
    "create table outbox ("
    " n integer primary key autoincrement,"
    " client_id text not null unique,"
    " peer text not null,"
    " created_at integer not null,"
    " body text not null,"
    " message_id text);" /* set: `body` is the message that it became */
    "create index outbox_message on outbox (message_id);"
    "pragma user_version = 1";

struct store {
    pthread_mutex_t mutex; /* held through each call; guards all below */
    sqlite3 *db;
    char *user;
    int64_t position;
    int64_t n_jumps;
    bool failed; /* something in this transaction */
};

/* ---- SQL ---- */

static void finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}
#define stmt_auto __attribute__((cleanup(finalize))) sqlite3_stmt

static void bind_all(sqlite3_stmt *statement, const char *types, va_list values)
{
    for (int i = 1; *types; types++, i++) {
        if (*types == 't')
            sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
    }
}

/* `types` has a letter for each value: t for const char *, i for int64_t. NULL when it failed. */
static sqlite3_stmt *query(struct store *s, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    va_list values;

    if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        s->failed = true;
        return NULL;
    }
    va_start(values, types);
    bind_all(statement, types, values);
    va_end(values);
    return statement;
}

/* True on a row. */
static bool next_row(struct store *s, sqlite3_stmt *statement)
{
    int result = statement ? sqlite3_step(statement) : SQLITE_ERROR;

    if (result != SQLITE_ROW && result != SQLITE_DONE)
        s->failed = true;
    return result == SQLITE_ROW;
}

/* To its end, without rows. */
static void finish(struct store *s, sqlite3_stmt *statement)
{
    next_row(s, statement);
    sqlite3_finalize(statement);
}

static int64_t one_number(struct store *s, sqlite3_stmt *statement, int64_t otherwise)
{
    int64_t value = next_row(s, statement) ? sqlite3_column_int64(statement, 0) : otherwise;

    sqlite3_finalize(statement);
    return value;
}

static const char *column_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

static void begin(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    s->failed = false;
    finish(s, query(s, "begin immediate", ""));
}

static enum duet_error commit(struct store *s)
{
    if (!s->failed)
        finish(s, query(s, "commit", ""));
    bool failed = s->failed;
    if (failed && !sqlite3_get_autocommit(s->db))
        finish(s, query(s, "rollback", ""));
    pthread_mutex_unlock(&s->mutex);
    return failed ? DUET_STORE : DUET_OK;
}

/* ---- opening ---- */

static void set_meta(struct store *s, const char *name, const char *value)
{
    finish(s, query(s, "insert or replace into meta values (?, ?)", "tt", name, value));
}

static bool meta_is(struct store *s, const char *name, const char *value)
{
    stmt_auto *statement =
        query(s, "select 1 from meta where name = ? and value = ?", "tt", name, value);

    return next_row(s, statement);
}

static void set_position(struct store *s, int64_t position)
{
    finish(s, query(s, "insert or replace into meta values ('position', ?)", "i", position));
}

static enum duet_error make_or_check(struct store *s, const char *user, const char *device)
{
    int64_t version = one_number(s, query(s, "pragma user_version", ""), -1);

    if (version == 0) {
        if (sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK)
            return DUET_STORE;
        set_meta(s, "user", user);
        set_meta(s, "device", device);
        return DUET_OK;
    }
    if (version != SCHEMA_VERSION || !meta_is(s, "user", user) || !meta_is(s, "device", device))
        return s->failed ? DUET_STORE : DUET_STORE_OTHER;
    return DUET_OK;
}

static enum duet_error open_error(struct store *s)
{
    int code = sqlite3_errcode(s->db);

    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? DUET_STORE_IN_USE : DUET_STORE;
}

/* Exclusive, so that a second process does not tell the same messages again; the lock ends with the
 * process, however that ends. */
static enum duet_error set_up(struct store *s, const char *user, const char *device)
{
    static const char pragmas[] = "pragma locking_mode = exclusive; pragma journal_mode = wal;"
                                  "pragma synchronous = normal; pragma trusted_schema = off";

    if (sqlite3_exec(s->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return open_error(s);
    begin(s);
    if (s->failed) {
        enum duet_error error = open_error(s);
        commit(s);
        return error;
    }
    enum duet_error made = make_or_check(s, user, device);
    s->position = one_number(s, query(s, "select value from meta where name = 'position'", ""), -1);
    enum duet_error stored = commit(s);
    return made ? made : stored;
}

/* For the user's eyes only, as SQLite's own mode is not; the files beside it take after it. One
 * that is there already is left alone: opening and closing it would end a lock that this process
 * has on it. */
static void make_private(const char *path)
{
    int fd = strcmp(path, ":memory:") == 0
                 ? -1
                 : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);

    if (fd >= 0)
        close(fd);
}

enum duet_error store_open(
    const char *path, const char *user, const char *device, struct store **ret)
{
    struct store *s = mem_alloc(sizeof(*s));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    make_private(path);
    pthread_mutex_init(&s->mutex, NULL);
    s->user = strdup(user);
    enum duet_error error = DUET_STORE;
    if (s->user && sqlite3_open_v2(path, &s->db, flags, NULL) == SQLITE_OK)
        error = set_up(s, user, device);
    if (error) {
        store_close(s);
        return error;
    }
    *ret = s;
    return DUET_OK;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->mutex);
    free(s->user);
    free(s);
}

/* ---- the mailbox ---- */

int64_t store_position(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    int64_t position = s->position;
    pthread_mutex_unlock(&s->mutex);
    return position;
}

/* Entries were left out: of whom is not known. What was sent may be among them, and is found in the
 * history. */
static void separate_tops(struct store *s)
{
    s->n_jumps++;
    finish(s, query(s, "update peer set top_joined = 0", ""));
    finish(s, query(s, "delete from outbox where message_id is not null", ""));
}

static bool top_is_joined(struct store *s, const char *peer)
{
    return one_number(s, query(s, "select top_joined from peer where peer = ?", "t", peer), 0);
}

static void join_top(struct store *s, const char *peer)
{
    finish(s, query(s, "insert or replace into peer values (?, 1)", "t", peer));
}

static bool is_known(struct store *s, const char *id)
{
    stmt_auto *statement = query(s, "select 1 from message where id = ?", "t", id);

    return next_row(s, statement);
}

static void replace_body(struct store *s, const char *id, const char *body)
{
    finish(s, query(s, "update message set body = ? where id = ? and not deleted", "tt", body, id));
}

struct place {
    int64_t day, seq, sub;
};

static void insert_message(
    struct store *s,
    const struct duet_message *m,
    const char *body,
    struct place place,
    bool joined)
{
    finish(
        s, query(
               s,
               "insert into message (id, peer, day, seq, sub, sent_at, joined, body)"
               " values (?, ?, ?, ?, ?, ?, ?, ?)",
               "ttiiiiit", m->id, m->peer, place.day, place.seq, place.sub, m->sent_at,
               (int64_t)joined, body));
    finish(s, query(s, "delete from outbox where message_id = ?", "t", m->id));
}

static void take_message(struct store *s, const struct entry *e)
{
    const struct duet_message *m = e->event.message;

    if (is_known(s, m->id)) { /* by the history, which was faster */
        replace_body(s, m->id, e->body);
        return;
    }
    struct place place = {m->sent_at / DAY_MS, e->seq, 0};
    insert_message(s, m, e->body, place, top_is_joined(s, m->peer));
    join_top(s, m->peer);
}

/* The row stays, for its place in the order. */
static void delete_message(struct store *s, const char *id)
{
    finish(s, query(s, "update message set deleted = 1, body = '' where id = ?", "t", id));
}

static void take_change(struct store *s, const struct entry *e)
{
    if (e->event.message)
        replace_body(s, e->event.message_id, e->body);
    else
        delete_message(s, e->event.message_id);
}

static void take_removal(struct store *s, const struct entry *e)
{
    if (e->removed)
        finish(s, query(s, "delete from conversation where peer = ?", "t", e->event.peer));
    if (e->messages_removed)
        finish(
            s, query(
                   s, "update message set deleted = 1, body = '' where peer = ? and seq < ?", "ti",
                   e->event.peer, e->seq));
}

static void take_mark(struct store *s, const struct entry *e, const char *sql)
{
    finish(s, query(s, sql, "it", e->event.up_to, e->event.peer));
}

static void take_event(struct store *s, const struct entry *e)
{
    switch (e->event.kind) {
    case DUET_EVENT_MESSAGE_EDITED:
    case DUET_EVENT_MESSAGE_RECALLED:
        take_change(s, e);
        break;
    case DUET_EVENT_MESSAGE_DELETED:
        delete_message(s, e->event.message_id);
        break;
    case DUET_EVENT_READ:
        take_mark(s, e, "update conversation set read_up_to = ? where peer = ?");
        break;
    case DUET_EVENT_PEER_READ:
        take_mark(s, e, "update conversation set peer_read_up_to = ? where peer = ?");
        break;
    case DUET_EVENT_OTHER:
        take_removal(s, e);
        break;
    case DUET_EVENT_SENT:
    case DUET_EVENT_SEND_REFUSED:
        break; /* not of the mailbox */
    }
}

enum duet_error store_take(struct store *s, const struct entry *e)
{
    int64_t before = s->position; /* changed by this thread alone */

    begin(s);
    if (e->seq != before + 1)
        separate_tops(s);
    if (e->is_message)
        take_message(s, e);
    else
        take_event(s, e);
    set_position(s, e->seq);
    if (!s->failed)
        s->position = e->seq;
    enum duet_error error = commit(s);
    if (error)
        s->position = before;
    return error;
}

enum duet_error store_jump(struct store *s, int64_t position)
{
    int64_t before = s->position;

    begin(s);
    separate_tops(s);
    set_position(s, position);
    s->position = position;
    enum duet_error error = commit(s);
    if (error)
        s->position = before;
    return error;
}

/* ---- reading messages ---- */

static void add_item(struct message_list *ret, const struct duet_message *m)
{
    ret->items[ret->list.n++] = *m;
}

static void read_outbox(struct store *s, const char *peer, struct message_list *ret)
{
    stmt_auto *rows = query(
        s,
        "select client_id, created_at, body, message_id from outbox where peer = ?"
        " order by n desc limit ?",
        "ti", peer, (int64_t)DUET_OUTBOX_SHOWN);
    struct duet_message m;

    while (next_row(s, rows)) {
        const char *body = column_text(rows, 2);
        bool good = column_text(rows, 3) ? wire_message_text(ret->arena, s->user, body, &m)
                                         : wire_pending(
                                               ret->arena, column_text(rows, 0),
                                               sqlite3_column_int64(rows, 1), body, &m);
        if (good)
            add_item(ret, &m);
    }
}

/* The newest of those that the mailbox has brought; 0: none. */
static int64_t newest_seq(struct store *s, const char *peer)
{
    return one_number(
        s,
        query(
            s,
            "select seq from message where peer = ? and sub = 0"
            " order by day desc, seq desc limit 1",
            "t", peer),
        0);
}

static void note_gap(struct store *s, const char *peer, struct message_list *ret, sqlite3_stmt *row)
{
    ret->has_gap = true;
    ret->gap.position = s->position;
    ret->gap.n_jumps = s->n_jumps;
    ret->gap.newest_seq = newest_seq(s, peer);
    if (!row)
        return;
    const char *cursor = column_text(row, 3);
    ret->gap.anchor = arena_printf(ret->arena, "%s", column_text(row, 0));
    ret->gap.sent_at = sqlite3_column_int64(row, 2);
    ret->gap.cursor = cursor ? arena_printf(ret->arena, "%s", cursor) : NULL;
}

/* The row of `before` itself comes first in `rows`, and is not given. */
static void read_rows(
    struct store *s,
    const char *peer,
    sqlite3_stmt *rows,
    bool skip_first,
    int limit,
    struct message_list *ret)
{
    int n = 0;
    bool joined = true;

    for (; next_row(s, rows); skip_first = false) {
        struct duet_message m;
        bool given = !skip_first && !sqlite3_column_int(rows, 4);
        if (given && n == limit)
            return; /* there is one more, so this is not the end */
        if (given && wire_message_text(ret->arena, s->user, column_text(rows, 5), &m)) {
            add_item(ret, &m);
            n++;
        }
        joined = sqlite3_column_int(rows, 1);
        if (n < limit && !joined) {
            if (!ret->has_gap) /* else it is asked for on top first */
                note_gap(s, peer, ret, rows);
            return;
        }
    }
    ret->list.end = joined && !ret->has_gap;
}

static void read_list(
    struct store *s, const char *peer, const char *before, int limit, struct message_list *ret)
{
    stmt_auto *rows = query(
        s,
        before ? "select id, joined, sent_at, cursor, deleted, body from message"
                 " where peer = ?1 and (day, seq, sub) <="
                 " (select day, seq, sub from message where id = ?2)"
                 " order by day desc, seq desc, sub desc"
               : "select id, joined, sent_at, cursor, deleted, body from message"
                 " where peer = ? order by day desc, seq desc, sub desc",
        before ? "tt" : "t", peer, before);

    if (!before) {
        read_outbox(s, peer, ret);
        if (!top_is_joined(s, peer))
            note_gap(s, peer, ret, NULL);
    }
    read_rows(s, peer, rows, before != NULL, limit, ret);
    ret->list.complete = !ret->has_gap;
}

enum duet_error store_read(
    struct store *s, const char *peer, const char *before, int limit, struct message_list *ret)
{
    size_t n_most = (size_t)limit + DUET_OUTBOX_SHOWN;
    enum duet_error error = DUET_OK;

    ret->items = arena_alloc(ret->arena, n_most * sizeof(*ret->items));
    ret->list.items = ret->items;
    pthread_mutex_lock(&s->mutex);
    s->failed = false;
    if (before && !is_known(s, before))
        error = DUET_UNKNOWN;
    else
        read_list(s, peer, before, limit, ret);
    if (s->failed)
        error = DUET_STORE;
    pthread_mutex_unlock(&s->mutex);
    return error;
}

/* ---- pages of the history ---- */

static bool find_place(struct store *s, const char *id, struct place *ret)
{
    stmt_auto *row = query(s, "select day, seq, sub from message where id = ?", "t", id);

    if (!next_row(s, row))
        return false;
    *ret = (struct place){
        sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2)};
    return true;
}

static void join(struct store *s, const char *id)
{
    finish(s, query(s, "update message set joined = 1, cursor = null where id = ?", "t", id));
}

/* What came while the page was on its way has joined the top itself, and lies above the page. */
static void join_top_of_page(struct store *s, const char *peer, const struct gap *gap)
{
    if (gap->n_jumps == s->n_jumps && gap->newest_seq == newest_seq(s, peer))
        join_top(s, peer);
}

static struct place take_item(
    struct store *s,
    const struct page_item *item,
    const struct place *above, /* NULL: the page begins on top */
    int64_t position)
{
    const struct duet_message *m = &item->message;
    struct place place = {m->sent_at / DAY_MS, position, -1};

    if (find_place(s, m->id, &place)) {
        replace_body(s, m->id, item->body);
        return place;
    }
    if (above && above->day == place.day)
        place = (struct place){above->day, above->seq, above->sub - 1};
    insert_message(s, m, item->body, place, false);
    return place;
}

/* Below the last one of the page. */
static void end_page(struct store *s, const char *last, const char *next_cursor)
{
    if (next_cursor)
        finish(
            s, query(
                   s, "update message set cursor = ? where id = ? and not joined", "tt",
                   next_cursor, last));
    else
        join(s, last);
}

enum duet_error store_take_page(
    struct store *s,
    const char *peer,
    const struct gap *gap,
    const struct page_item *items,
    size_t n,
    const char *next_cursor)
{
    struct place place;
    const char *above = gap->anchor;

    begin(s);
    bool has_place = above && find_place(s, above, &place);
    for (size_t i = 0; i < n; i++) {
        place = take_item(s, &items[i], has_place ? &place : NULL, gap->position);
        has_place = true;
        if (above)
            join(s, above);
        above = items[i].message.id;
    }
    if (!gap->anchor && (n || !next_cursor))
        join_top_of_page(s, peer, gap);
    if (above && (n || !next_cursor))
        end_page(s, above, next_cursor);
    return commit(s);
}

/* ---- conversations ---- */

static void take_conversation(struct store *s, const json_t *json, int64_t rank)
{
    struct arena *arena = arena_new();
    struct duet_conversation c;

    if (wire_conversation(arena, s->user, json, &c))
        finish(
            s, query(
                   s, "insert or replace into conversation values (?, ?, ?, ?, ?)", "tiiit", c.peer,
                   rank, c.read_up_to, c.peer_read_up_to, wire_text(arena, json)));
    arena_free(arena);
}

enum duet_error store_take_conversations(struct store *s, const json_t *json)
{
    size_t i;
    json_t *item;

    begin(s);
    finish(s, query(s, "delete from conversation", ""));
    json_array_foreach(json, i, item) {
        take_conversation(s, item, (int64_t)i);
    }
    return commit(s);
}

static void read_conversation(
    struct store *s, sqlite3_stmt *row, struct arena *arena, struct duet_conversation *ret)
{
    json_auto_t *json = json_loads(column_text(row, 0), 0, NULL);

    if (!wire_conversation(arena, s->user, json, ret))
        s->failed = true;
    ret->read_up_to = sqlite3_column_int64(row, 1);
    ret->peer_read_up_to = sqlite3_column_int64(row, 2);
}

static void read_conversations(struct store *s, struct conversation_list *ret)
{
    size_t n = (size_t)one_number(s, query(s, "select count(*) from conversation", ""), 0);
    struct duet_conversation *items = arena_alloc(ret->arena, (n + 1) * sizeof(*items));
    ret->list.items = items;
    stmt_auto *rows =
        query(s, "select body, read_up_to, peer_read_up_to from conversation order by rank", "");
    while (next_row(s, rows) && ret->list.n < n)
        read_conversation(s, rows, ret->arena, &items[ret->list.n++]);
}

enum duet_error store_read_conversations(struct store *s, struct conversation_list *ret)
{
    pthread_mutex_lock(&s->mutex);
    s->failed = false;
    read_conversations(s, ret);
    enum duet_error error = s->failed ? DUET_STORE : DUET_OK;
    pthread_mutex_unlock(&s->mutex);
    return error;
}

/* ---- the outbox ---- */

/* What the caller is told to be in the outbox survives a loss of power; what the mailbox brings can
 * be had again. */
enum duet_error store_outbox_add(
    struct store *s, const char *client_id, const char *peer, const char *body)
{
    pthread_mutex_lock(&s->mutex);
    s->failed = false;
    finish(s, query(s, "pragma synchronous = full", ""));
    finish(
        s, query(
               s, "insert into outbox (client_id, peer, created_at, body) values (?, ?, ?, ?)",
               "ttit", client_id, peer, clock_now_us() / 1000, body));
    enum duet_error error = s->failed ? DUET_STORE : DUET_OK;
    finish(s, query(s, "pragma synchronous = normal", ""));
    pthread_mutex_unlock(&s->mutex);
    return error;
}

static bool is_among(const char *peer, const char *const *peers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(peers[i], peer) == 0)
            return true;
    return false;
}

static bool find_waiting(
    struct store *s,
    const char *const *but_peers,
    size_t n,
    struct arena *arena,
    struct outbox_row *ret)
{
    stmt_auto *rows = query(
        s, "select n, client_id, peer, body from outbox where message_id is null order by n", "");

    while (next_row(s, rows)) {
        if (is_among(column_text(rows, 2), but_peers, n))
            continue;
        ret->n = sqlite3_column_int64(rows, 0);
        snprintf(ret->client_id, sizeof(ret->client_id), "%s", column_text(rows, 1));
        ret->peer = arena_text(arena, text_of(column_text(rows, 2))).ptr;
        ret->body = arena_text(arena, text_of(column_text(rows, 3))).ptr;
        return true;
    }
    return false;
}

bool store_outbox_next(
    struct store *s,
    const char *const *but_peers,
    size_t n,
    struct arena *arena,
    struct outbox_row *ret)
{
    pthread_mutex_lock(&s->mutex);
    bool found = find_waiting(s, but_peers, n, arena, ret);
    pthread_mutex_unlock(&s->mutex);
    return found;
}

enum duet_error store_outbox_sent(
    struct store *s, int64_t n, const char *message_id, const char *body)
{
    begin(s);
    if (is_known(s, message_id))
        finish(s, query(s, "delete from outbox where n = ?", "i", n));
    else
        finish(
            s, query(
                   s, "update outbox set message_id = ?, body = ? where n = ?", "tti", message_id,
                   body, n));
    return commit(s);
}

enum duet_error store_outbox_remove(struct store *s, int64_t n)
{
    begin(s);
    finish(s, query(s, "delete from outbox where n = ?", "i", n));
    return commit(s);
}
