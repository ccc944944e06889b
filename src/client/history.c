/* duet_get_messages: from the store, and where that has gaps, from the server's history first. */
#include <string.h>

#include "base/clock.h"
#include "client/session.h"

#define LIMIT_MOST 200
#define PAGE_ITEMS 100
/* Of one call; so many are needed only where others remove and add messages all the time. */
#define PAGES_MOST 50

struct page {
    struct arena *arena;
    struct page_item *items;
    size_t n;
    const char *next_cursor; /* NULL: the history ends here */
};

static struct answer ask_page(
    struct duet *d, const char *peer, const struct gap *gap, const char *cursor)
{
    buf_auto path = BUF(4096);
    char until[CLOCK_TEXT];

    path_of_user(d, &path);
    buf_printf(&path, "/messages?limit=%d&peer=", PAGE_ITEMS);
    http_add_escaped(&path, peer);
    if (cursor) {
        buf_printf(&path, "&cursor=");
        http_add_escaped(&path, cursor);
    } else if (gap->anchor) {
        /* The anchor's own millisecond, too: what shares it may come before or after the anchor. */
        struct text text = clock_to_text((gap->sent_at + 1) * 1000, until);
        buf_printf(&path, "&until=%.*s", TEXT_ARG(text));
    }
    return duet_ask(d, "GET", &path, NULL);
}

/* Sets *behind when the item is the anchor, or what comes where the anchor is gone. */
static bool is_behind(const struct gap *gap, const struct duet_message *m, bool *behind)
{
    if (*behind)
        return true;
    bool is_anchor = strcmp(m->id, gap->anchor) == 0;
    *behind = is_anchor || m->sent_at < gap->sent_at;
    return *behind && !is_anchor;
}

static bool read_page(
    struct duet *d, const json_t *json, const struct gap *gap, bool *behind, struct page *ret)
{
    const json_t *items = json_object_get(json, "items");
    const json_t *next = json_object_get(json, "next_cursor");
    size_t i;
    json_t *item;

    if (!json_is_array(items) || !next)
        return false;
    ret->items = arena_alloc(ret->arena, (json_array_size(items) + 1) * sizeof(*ret->items));
    json_array_foreach(items, i, item) {
        struct page_item *p = &ret->items[ret->n];
        if (!wire_message(ret->arena, d->user, item, &p->message))
            return false;
        p->body = wire_text(ret->arena, item);
        if (is_behind(gap, &p->message, behind))
            ret->n++;
    }
    ret->next_cursor = json_string_value(next);
    return true;
}

static enum duet_error take_page(
    struct duet *d,
    const char *peer,
    const struct gap *gap,
    const json_t *json,
    bool *behind,
    struct buf *cursor)
{
    struct page page = {.arena = arena_new()};
    enum duet_error error = DUET_OK;

    if (!read_page(d, json, gap, behind, &page))
        error = DUET_PROTOCOL;
    else if (*behind || !page.next_cursor)
        error = store_take_page(d->store, peer, gap, page.items, page.n, page.next_cursor);
    buf_clear(cursor);
    buf_text(cursor, text_of(page.next_cursor));
    buf_char(cursor, '\0');
    *behind = *behind || !page.next_cursor;
    arena_free(page.arena);
    return error;
}

/* What the history has behind the gap's anchor: as much as a page holds. */
static enum duet_error fill(struct duet *d, const char *peer, const struct gap *gap)
{
    bool behind = !gap->anchor || gap->cursor;
    bool taken = false;
    buf_auto cursor = BUF(1024);

    for (int i = 0; i < PAGES_MOST && !taken; i++) {
        answer_auto answer = ask_page(d, peer, gap, i == 0 ? gap->cursor : cursor.ptr);
        enum duet_error error = answer.error;
        if (!error)
            error = take_page(d, peer, gap, answer.json, &behind, &cursor);
        if (error)
            return error;
        taken = behind;
    }
    return taken ? DUET_OK : DUET_PROTOCOL;
}

static enum duet_error read_list(
    struct duet *d, const char *peer, const char *before, int limit, struct message_list **ret)
{
    struct arena *arena = arena_new();
    struct message_list *list = arena_alloc(arena, sizeof(*list));

    list->arena = arena;
    enum duet_error error = store_read(d->store, peer, before, limit, list);
    if (error)
        arena_free(arena);
    else
        *ret = list;
    return error;
}

enum duet_error duet_get_messages(
    struct duet *d, const char *peer, const char *before, int limit, struct duet_messages **ret)
{
    struct message_list *list;

    if (!peer || !*peer || limit < 1 || limit > LIMIT_MOST)
        return DUET_INVALID;
    enum duet_error error = read_list(d, peer, before, limit, &list);
    for (int i = 0; !error && list->has_gap && !list->list.why && i < PAGES_MOST; i++) {
        list->list.why = fill(d, peer, &list->gap);
        if (list->list.why)
            break;
        duet_messages_free(&list->list);
        error = read_list(d, peer, before, limit, &list);
    }
    if (!error)
        *ret = &list->list;
    return error;
}

void duet_messages_free(struct duet_messages *messages)
{
    if (messages)
        arena_free(((struct message_list *)messages)->arena);
}
