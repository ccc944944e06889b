/* The bytes of a client of /v4: a signature, a key of a message, and a body whose elements become
 * those of /v1 and come back. */
#include <stdlib.h>

#include "http/v4/elements.h"
#include "http/v4/message_key.h"
#include "http/v4/usersig.h"

static const struct v4_work work;
static const struct v4_command command = {"openim", "sendmsg", V4_MESSAGES, "", &work};

static void try_signature(struct arena *arena, struct text t)
{
    struct usersig usersig;

    if (usersig_verify(t, TEXT("key"), 1700000000, arena, &usersig) == 0)
        abort(); /* nobody has the key */
}

static void try_key(struct arena *arena, struct text t)
{
    struct message_key key, again;

    if (!message_key_parse(t, &key))
        return;
    if (!message_key_parse(message_key_text(&key, arena), &again) || again.seq != key.seq ||
        again.random != key.random || again.time_s != key.time_s)
        abort();
}

static void try_elements(struct v4_call *c, const json_t *body)
{
    const json_t *msg_body = json_object_get(body, "MsgBody");
    json_t *elements = v4_elements_in(c, msg_body);

    if (!elements && !c->failed)
        abort();
    if (!elements)
        return;
    json_t *back = v4_elements_out(elements);
    if (json_array_size(back) != json_array_size(msg_body))
        abort();
    for (size_t i = 0; i < json_array_size(back); i++)
        if (!json_equal(
                json_object_get(json_array_get(back, i), "MsgContent"),
                json_object_get(json_array_get(msg_body, i), "MsgContent")))
            abort();
    json_decref(back);
    json_decref(elements);
}

static void try_body(struct arena *arena, struct text t)
{
    struct err err;
    json_t *body = NULL;
    struct op op = {.arena = arena, .err = &err};
    struct v4_call c = {.op = &op, .command = &command};

    err_init(&err, arena);
    if (fields_parse_json(t, &body, &err) != 0)
        return;
    for (size_t i = 0; i < v4_n_commands; i++) {
        c.failed = false;
        if (v4_check(&c, v4_commands[i].work->in, body) == c.failed)
            abort();
    }
    c.failed = false;
    try_elements(&c, body);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    const struct text t = {(const char *)data, size};

    try_signature(arena, t);
    try_key(arena, t);
    try_body(arena, t);
    arena_free(arena);
    return 0;
}
