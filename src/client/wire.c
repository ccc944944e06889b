#include "client/wire.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define DOCUMENT_BYTES (1024 * 1024)

static const char *copy(struct arena *arena, const char *s)
{
    return arena_text(arena, text_of(s)).ptr;
}

/* A member that is text; "" where it is absent or null, NULL where it is something else. */
static const char *member_text(struct arena *arena, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!value || json_is_null(value))
        return "";
    return json_is_string(value) ? copy(arena, json_string_value(value)) : NULL;
}

static const char *or_null(const char *s)
{
    return s && *s ? s : NULL;
}

/* 0 where it is absent, null or no time. */
static int64_t member_time(const json_t *object, const char *name)
{
    int64_t us;
    const char *value = json_string_value(json_object_get(object, name));

    return value && clock_from_text(text_of(value), &us) ? us / 1000 : 0;
}

const char *wire_text(struct arena *arena, const json_t *json)
{
    buf_auto text = BUF(DOCUMENT_BYTES);

    json_write_tree(&text, json);
    return arena_text(arena, buf_as_text(&text)).ptr;
}

static const char *first_text(struct arena *arena, const json_t *elements)
{
    size_t i;
    json_t *element;

    json_array_foreach(elements, i, element) {
        const char *type = json_string_value(json_object_get(element, "type"));
        if (type && strcmp(type, "text") == 0)
            return member_text(arena, element, "text");
    }
    return NULL;
}

bool wire_message(
    struct arena *arena, const char *user, const json_t *json, struct duet_message *ret)
{
    const json_t *elements = json_object_get(json, "elements");
    const char *state = json_string_value(json_object_get(json, "state"));
    struct duet_message message = {
        .id = member_text(arena, json, "id"),
        .from = member_text(arena, json, "from"),
        .to = member_text(arena, json, "to"),
        .kind = member_text(arena, json, "kind"),
        .text = first_text(arena, elements),
        .custom_data = or_null(member_text(arena, json, "custom_data")),
        .sender_nick = member_text(arena, json_object_get(json, "sender_profile"), "nick"),
        .client_id = "",
        .sent_at = member_time(json, "sent_at"),
        .edited_at = member_time(json, "edited_at"),
        .state = state && strcmp(state, "recalled") == 0 ? DUET_RECALLED : DUET_SENT,
    };

    if (!or_null(message.id) || !message.from || !message.to || !message.kind || !state ||
        !message.sent_at || !message.sender_nick || !json_is_array(elements))
        return false;
    message.elements_json = wire_text(arena, elements);
    message.outgoing = strcmp(message.from, user) == 0;
    message.peer = message.outgoing ? message.to : message.from;
    *ret = message;
    return true;
}

bool wire_message_text(
    struct arena *arena, const char *user, const char *json, struct duet_message *ret)
{
    json_auto_t *tree = json_loads(json, 0, NULL);

    return tree && wire_message(arena, user, tree, ret);
}

bool wire_pending(
    struct arena *arena,
    const char *client_id,
    int64_t created_at,
    const char *body,
    struct duet_message *ret)
{
    json_auto_t *json = json_loads(body, 0, NULL);
    const char *text = json_string_value(json_object_get(json, "text"));
    json_auto_t *elements = text ? json_pack("[{s:s, s:s}]", "type", "text", "text", text)
                                 : json_incref(json_object_get(json, "elements"));

    if (!elements)
        return false;
    *ret = (struct duet_message){
        .id = "",
        .peer = member_text(arena, json, "to"),
        .outgoing = true,
        .from = member_text(arena, json, "from"),
        .to = member_text(arena, json, "to"),
        .kind = "chat",
        .text = first_text(arena, elements),
        .elements_json = wire_text(arena, elements),
        .custom_data = or_null(member_text(arena, json, "custom_data")),
        .sender_nick = "",
        .client_id = copy(arena, client_id),
        .sent_at = created_at,
        .state = DUET_SENDING,
    };
    return ret->peer && ret->from;
}

/* ---- entries ---- */

static const struct {
    const char *name;
    enum duet_event_kind kind;
} kinds[] = {
    {"message_edited", DUET_EVENT_MESSAGE_EDITED},
    {"message_recalled", DUET_EVENT_MESSAGE_RECALLED},
    {"message_deleted", DUET_EVENT_MESSAGE_DELETED},
    {"read", DUET_EVENT_READ},
    {"peer_read", DUET_EVENT_PEER_READ},
};

static enum duet_event_kind kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(name, kinds[i].name) == 0)
            return kinds[i].kind;
    return DUET_EVENT_OTHER;
}

static bool read_details(struct arena *arena, const json_t *details, struct entry *e)
{
    if (!details)
        return true;
    e->event.details_json = wire_text(arena, details);
    e->event.up_to = member_time(details, "up_to");
    e->removed = json_is_true(json_object_get(details, "removed"));
    e->messages_removed = json_is_true(json_object_get(details, "messages_removed"));
    e->kicked_device = member_text(arena, details, "device");
    e->kicked_reason = member_text(arena, details, "reason");
    return e->kicked_device && e->kicked_reason;
}

static bool read_message(struct arena *arena, const char *user, const json_t *json, struct entry *e)
{
    if (!json)
        return true;
    struct duet_message *message = arena_alloc(arena, sizeof(*message));
    if (!wire_message(arena, user, json, message))
        return false;
    e->body = wire_text(arena, json);
    e->event.message = message;
    e->event.message_id = message->id;
    e->event.peer = message->peer;
    return true;
}

bool wire_entry(struct arena *arena, const char *user, const json_t *json, struct entry *ret)
{
    const json_t *seq = json_object_get(json, "seq");
    const char *name = json_string_value(json_object_get(json, "kind"));

    if (!json_is_integer(seq) || json_integer_value(seq) <= 0 || !name)
        return false;
    struct entry e = {
        .seq = json_integer_value(seq),
        .event =
            {
                .kind = kind_of(name),
                .name = copy(arena, name),
                .seq = json_integer_value(seq),
                .at = member_time(json, "at"),
                .peer = member_text(arena, json, "peer"),
                .message_id = member_text(arena, json, "message_id"),
                .client_id = "",
            },
        .kicked_device = "",
        .kicked_reason = "",
    };
    if (!e.event.peer || !e.event.message_id ||
        !read_details(arena, json_object_get(json, "details"), &e) ||
        !read_message(arena, user, json_object_get(json, "message"), &e))
        return false;
    e.is_message = e.event.message && strcmp(name, "message") == 0;
    *ret = e;
    return true;
}

/* ---- conversations, contacts ---- */

bool wire_conversation(
    struct arena *arena, const char *user, const json_t *json, struct duet_conversation *ret)
{
    const json_t *profile = json_object_get(json, "peer_profile");
    const json_t *last = json_object_get(json, "last_message");
    struct duet_conversation conversation = {
        .peer = member_text(arena, json, "peer"),
        .nick = member_text(arena, profile, "nick"),
        .avatar_url = member_text(arena, profile, "avatar_url"),
        .unread = (int)json_integer_value(json_object_get(json, "unread")),
        .read_up_to = member_time(json, "read_up_to"),
        .peer_read_up_to = member_time(json, "peer_read_up_to"),
        .pinned = json_is_true(json_object_get(json, "pinned")),
        .muted = json_is_true(json_object_get(json, "muted")),
    };

    if (!or_null(conversation.peer) || !conversation.nick || !conversation.avatar_url)
        return false;
    if (last) {
        struct duet_message *message = arena_alloc(arena, sizeof(*message));
        if (!wire_message(arena, user, last, message))
            return false;
        conversation.last_message = message;
    }
    *ret = conversation;
    return true;
}

static int64_t first_time(const json_t *json)
{
    static const char *const names[] = {"friend_since", "blocked_at", "created_at"};
    int64_t time = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && time == 0; i++)
        time = member_time(json, names[i]);
    return time;
}

bool wire_contact(struct arena *arena, const json_t *json, struct duet_contact *ret)
{
    const json_t *profile = json_object_get(json, "peer_profile");
    struct duet_contact contact = {
        .peer = member_text(arena, json, "peer"),
        .nick = member_text(arena, profile, "nick"),
        .avatar_url = member_text(arena, profile, "avatar_url"),
        .remark = member_text(arena, json, "remark"),
        .text = member_text(arena, json, "text"),
        .since = first_time(json),
        .mutual = json_is_true(json_object_get(json, "mutual")),
    };

    if (!or_null(contact.peer) || !contact.nick || !contact.avatar_url || !contact.remark ||
        !contact.text)
        return false;
    *ret = contact;
    return true;
}

/* ---- sending ---- */

/* Takes a document that was given as text; absent is fine. */
static bool add_document(json_t *body, const char *name, const char *text, bool is_array)
{
    if (!text)
        return true;
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (value && (is_array ? json_is_array(value) : json_is_object(value)))
        return json_object_set_new(body, name, value) == 0;
    json_decref(value);
    return false;
}

bool wire_outgoing(
    struct buf *ret, const char *user, const char *client_id, const struct duet_outgoing *message)
{
    json_auto_t *body = json_pack(
        "{s:s, s:s, s:s, s:s*, s:s*}", "from", user, "to", message->to, "client_id", client_id,
        "text", message->text, "custom_data", message->custom_data);

    /* NULL where a text is not UTF-8. */
    if (!body || !add_document(body, "elements", message->elements_json, true) ||
        !add_document(body, "options", message->options_json, false) ||
        !add_document(body, "push", message->push_json, false))
        return false;
    json_write_tree(ret, body);
    return !ret->failed;
}
