/* Friends, friend requests and blocks. */
#include "client/session.h"

#define ITEMS_MOST 100000

/* "/v1/users/{user}/KIND" */
static void path_of_kind(struct duet *d, struct buf *ret, const char *kind)
{
    path_of_user(d, ret);
    buf_printf(ret, "/%s", kind);
}

/* ---- lists ---- */

struct contact_list {
    struct duet_contacts list; /* first, so that a pointer to it is one to all */
    struct arena *arena;
    struct duet_contact *items;
    size_t capacity;
};

static bool add_contact(struct contact_list *list, const json_t *json)
{
    if (list->list.n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 200;
        struct duet_contact *items = arena_alloc(list->arena, capacity * sizeof(*items));
        for (size_t i = 0; i < list->list.n; i++)
            items[i] = list->items[i];
        list->items = items;
        list->capacity = capacity;
        list->list.items = items;
    }
    return list->list.n < ITEMS_MOST &&
           wire_contact(list->arena, json, &list->items[list->list.n++]);
}

static enum duet_error add_contacts(struct contact_list *list, const json_t *page)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(page, "items"), i, item) {
        if (!add_contact(list, item))
            return DUET_PROTOCOL;
    }
    return DUET_OK;
}

/* One page of a kind, after which the query goes on; its cursor is left in *cursor, nothing in it
 * at the end. */
static enum duet_error add_page(
    struct duet *d, const char *kind, struct buf *cursor, struct contact_list *list)
{
    buf_auto path = BUF(4096);

    path_of_kind(d, &path, kind);
    buf_printf(&path, "limit=200");
    if (cursor->len) {
        buf_printf(&path, "&cursor=");
        http_add_escaped(&path, cursor->ptr);
    }
    answer_auto answer = duet_ask(d, "GET", &path, NULL);
    enum duet_error error = answer.error ? answer.error : add_contacts(list, answer.json);
    const char *next = json_string_value(json_object_get(answer.json, "next_cursor"));
    buf_clear(cursor);
    if (next)
        buf_add(cursor, next, strlen(next) + 1);
    return error;
}

static enum duet_error list_all(struct duet *d, const char *kind, struct duet_contacts **ret)
{
    struct arena *arena = arena_new();
    struct contact_list *list = arena_alloc(arena, sizeof(*list));
    buf_auto cursor = BUF(1024);
    enum duet_error error;

    list->arena = arena;
    do
        error = add_page(d, kind, &cursor, list);
    while (!error && cursor.len);
    if (error)
        arena_free(arena);
    else
        *ret = &list->list;
    return error;
}

void duet_contacts_free(struct duet_contacts *contacts)
{
    if (contacts)
        arena_free(((struct contact_list *)contacts)->arena);
}

enum duet_error duet_friends(struct duet *d, struct duet_contacts **ret)
{
    return list_all(d, "friends?", ret);
}

enum duet_error duet_friend_requests(struct duet *d, bool outgoing, struct duet_contacts **ret)
{
    return list_all(d, outgoing ? "friend-requests?direction=outgoing&" : "friend-requests?", ret);
}

enum duet_error duet_blocks(struct duet *d, struct duet_contacts **ret)
{
    return list_all(d, "blocks?", ret);
}

/* ---- changes ---- */

/* METHOD "/v1/users/{user}/KIND/{peer}ACTION"; `body` is freed. */
static enum duet_error change(
    struct duet *d,
    const char *method,
    const char *kind,
    const char *peer,
    const char *action,
    json_t *body)
{
    buf_auto path = BUF(1024);

    if (!peer || !*peer) {
        json_decref(body);
        return DUET_INVALID;
    }
    path_of_kind(d, &path, kind);
    buf_char(&path, '/');
    http_add_escaped(&path, peer);
    buf_printf(&path, "%s", action);
    answer_auto answer = duet_ask(d, method, &path, body);
    return answer.error;
}

enum duet_error duet_friend_add(struct duet *d, const char *peer, const char *remark)
{
    return change(d, "PUT", "friends", peer, "", json_pack("{s:s*}", "remark", remark));
}

enum duet_error duet_friend_remove(struct duet *d, const char *peer)
{
    return change(d, "DELETE", "friends", peer, "", NULL);
}

enum duet_error duet_friend_request(struct duet *d, const char *peer, const char *text)
{
    buf_auto path = BUF(1024);
    json_t *body = json_pack("{s:s, s:s*}", "to", peer, "text", text);

    if (!body)
        return DUET_INVALID;
    path_of_kind(d, &path, "friend-requests");
    answer_auto answer = duet_ask(d, "POST", &path, body);
    return answer.error;
}

enum duet_error duet_friend_accept(struct duet *d, const char *peer)
{
    return change(d, "POST", "friend-requests", peer, "/accept", NULL);
}

enum duet_error duet_friend_reject(struct duet *d, const char *peer)
{
    return change(d, "POST", "friend-requests", peer, "/reject", NULL);
}

enum duet_error duet_block_add(struct duet *d, const char *peer)
{
    return change(d, "PUT", "blocks", peer, "", NULL);
}

enum duet_error duet_block_remove(struct duet *d, const char *peer)
{
    return change(d, "DELETE", "blocks", peer, "", NULL);
}
