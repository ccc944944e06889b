/* What the tests of libduet talk to: each line of input is a call as a JSON array, ["send", "bob",
 * "hi"], or an array of calls that are made at the same time; each line of output an object, the
 * answer of a call ("call") or a callback ("on"). Ends with its input.
 *
 * client-driver SERVER USER DEVICE TOKEN STORE TIMEOUT_MS [CA_FILE] */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "duet.h"

#define LINE_BYTES (1024 * 1024)
#define JOBS_MOST 32

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void print(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    pthread_mutex_lock(&output);
    puts(text);
    (void)fflush(stdout);
    pthread_mutex_unlock(&output);
    free(text);
    json_decref(json);
}

static json_t *of_message(const struct duet_message *m)
{
    if (!m)
        return json_null();
    return json_pack(
        "{s:s, s:s, s:b, s:s, s:s, s:s, s:s?, s:s, s:s?, s:s, s:s, s:I, s:I, s:i}", "id", m->id,
        "peer", m->peer, "outgoing", m->outgoing, "from", m->from, "to", m->to, "kind", m->kind,
        "text", m->text, "elements", m->elements_json, "custom_data", m->custom_data, "nick",
        m->sender_nick, "client_id", m->client_id, "sent_at", (json_int_t)m->sent_at, "edited_at",
        (json_int_t)m->edited_at, "state", (int)m->state);
}

/* ---- callbacks ---- */

static void on_new_message(void *user, const struct duet_message *m, enum duet_source source)
{
    static const char *const sources[] = {"offline", "online", "recent"};

    (void)user;
    print(json_pack(
        "{s:s, s:s, s:o}", "on", "new_message", "source", sources[source], "message",
        of_message(m)));
}

static void on_refresh(void *user)
{
    (void)user;
    print(json_pack("{s:s}", "on", "refresh"));
}

static void on_event(void *user, const struct duet_event *e)
{
    (void)user;
    print(json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:I, s:s, s:s?, s:s, s:o}", "on", "event", "name", e->name,
        "seq", (json_int_t)e->seq, "peer", e->peer, "message_id", e->message_id, "up_to",
        (json_int_t)e->up_to, "client_id", e->client_id, "details", e->details_json, "error",
        duet_error_text(e->error), "message", of_message(e->message)));
}

static void on_kicked(void *user, const char *reason)
{
    (void)user;
    print(json_pack("{s:s, s:s}", "on", "kicked", "reason", reason));
}

static void on_connection(void *user, enum duet_connection state, enum duet_error why)
{
    static const char *const states[] = {"connecting", "connected", "disconnected", "signed_out"};

    (void)user;
    print(json_pack(
        "{s:s, s:s, s:s}", "on", "connection", "state", states[state], "why",
        duet_error_text(why)));
}

/* ---- calls ---- */

static const char *arg(const json_t *call, size_t i)
{
    return json_string_value(json_array_get(call, i));
}

static enum duet_error do_send(struct duet *d, const json_t *call, json_t *answer)
{
    struct duet_outgoing m = {
        .to = arg(call, 1),
        .text = arg(call, 2),
        .elements_json = arg(call, 3),
        .custom_data = arg(call, 4),
        .options_json = arg(call, 5),
    };
    char client_id[DUET_CLIENT_ID_SIZE] = "";
    enum duet_error error = duet_send(d, &m, client_id);

    json_object_set_new(answer, "client_id", json_string(client_id));
    return error;
}

static enum duet_error do_refusal(struct duet *d, json_t *answer)
{
    char refusal[DUET_REFUSAL_SIZE];
    enum duet_error error = duet_refusal(d, refusal);

    json_object_set_new(answer, "reason", json_string(refusal));
    return error;
}

static enum duet_error do_get_messages(struct duet *d, const json_t *call, json_t *answer)
{
    struct duet_messages *messages;
    int limit = (int)json_integer_value(json_array_get(call, 3));
    enum duet_error error = duet_get_messages(d, arg(call, 1), arg(call, 2), limit, &messages);

    if (error)
        return error;
    json_t *items = json_array();
    for (size_t i = 0; i < messages->n; i++)
        json_array_append_new(items, of_message(&messages->items[i]));
    json_object_set_new(answer, "items", items);
    json_object_set_new(answer, "complete", json_boolean(messages->complete));
    json_object_set_new(answer, "end", json_boolean(messages->end));
    json_object_set_new(answer, "why", json_string(duet_error_text(messages->why)));
    duet_messages_free(messages);
    return DUET_OK;
}

static enum duet_error do_conversations(struct duet *d, json_t *answer)
{
    struct duet_conversations *list;
    enum duet_error error = duet_conversations(d, &list);

    if (error)
        return error;
    json_t *items = json_array();
    for (size_t i = 0; i < list->n; i++) {
        const struct duet_conversation *c = &list->items[i];
        json_array_append_new(
            items, json_pack(
                       "{s:s, s:s, s:i, s:I, s:I, s:b, s:b, s:o}", "peer", c->peer, "nick", c->nick,
                       "unread", c->unread, "read_up_to", (json_int_t)c->read_up_to,
                       "peer_read_up_to", (json_int_t)c->peer_read_up_to, "pinned", c->pinned,
                       "muted", c->muted, "last_message", of_message(c->last_message)));
    }
    json_object_set_new(answer, "items", items);
    json_object_set_new(answer, "fresh", json_boolean(list->fresh));
    duet_conversations_free(list);
    return DUET_OK;
}

static enum duet_error do_contacts(
    struct duet *d, enum duet_error (*ask)(struct duet *, struct duet_contacts **), json_t *answer)
{
    struct duet_contacts *list;
    enum duet_error error = ask(d, &list);

    if (error)
        return error;
    json_t *items = json_array();
    for (size_t i = 0; i < list->n; i++) {
        const struct duet_contact *c = &list->items[i];
        json_array_append_new(
            items,
            json_pack(
                "{s:s, s:s, s:s, s:s, s:I, s:b}", "peer", c->peer, "nick", c->nick, "remark",
                c->remark, "text", c->text, "since", (json_int_t)c->since, "mutual", c->mutual));
    }
    json_object_set_new(answer, "items", items);
    duet_contacts_free(list);
    return DUET_OK;
}

static enum duet_error incoming(struct duet *d, struct duet_contacts **ret)
{
    return duet_friend_requests(d, false, ret);
}

static enum duet_error outgoing(struct duet *d, struct duet_contacts **ret)
{
    return duet_friend_requests(d, true, ret);
}

static const struct {
    const char *name;
    enum duet_error (*ask)(struct duet *, struct duet_contacts **);
} lists[] = {
    {"friends", duet_friends},
    {"incoming_requests", incoming},
    {"outgoing_requests", outgoing},
    {"blocks", duet_blocks},
};

static const struct {
    const char *name;
    enum duet_error (*change)(struct duet *, const char *);
} changes[] = {
    {"set_token", duet_set_token},         {"recall", duet_recall},
    {"friend_remove", duet_friend_remove}, {"friend_accept", duet_friend_accept},
    {"friend_reject", duet_friend_reject}, {"block_add", duet_block_add},
    {"block_remove", duet_block_remove},
};

static const struct {
    const char *name;
    enum duet_error (*change)(struct duet *, const char *, const char *);
} changes_with_text[] = {
    {"mark_read", duet_mark_read},
    {"friend_add", duet_friend_add},
    {"friend_request", duet_friend_request},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static enum duet_error run(struct duet *d, const json_t *call, json_t *answer)
{
    const char *name = arg(call, 0);

    if (strcmp(name, "send") == 0)
        return do_send(d, call, answer);
    if (strcmp(name, "get_messages") == 0)
        return do_get_messages(d, call, answer);
    if (strcmp(name, "refusal") == 0)
        return do_refusal(d, answer);
    if (strcmp(name, "conversations") == 0)
        return do_conversations(d, answer);
    for (size_t i = 0; i < LENGTH(lists); i++)
        if (strcmp(name, lists[i].name) == 0)
            return do_contacts(d, lists[i].ask, answer);
    for (size_t i = 0; i < LENGTH(changes); i++)
        if (strcmp(name, changes[i].name) == 0)
            return changes[i].change(d, arg(call, 1));
    for (size_t i = 0; i < LENGTH(changes_with_text); i++)
        if (strcmp(name, changes_with_text[i].name) == 0)
            return changes_with_text[i].change(d, arg(call, 1), arg(call, 2));
    (void)fprintf(stderr, "client-driver: there is no call %s\n", name);
    exit(2);
}

static void run_one(struct duet *d, const json_t *call)
{
    json_t *answer = json_pack("{s:O}", "call", json_array_get(call, 0));

    json_object_set_new(answer, "error", json_string(duet_error_text(run(d, call, answer))));
    print(answer);
}

struct job {
    pthread_t thread;
    struct duet *d;
    const json_t *call;
};

static void *run_job(void *user)
{
    struct job *job = user;

    run_one(job->d, job->call);
    return NULL;
}

/* Each call in a thread of its own. */
static void run_at_once(struct duet *d, const json_t *calls)
{
    struct job jobs[JOBS_MOST];
    size_t n = json_array_size(calls);

    for (size_t i = 0; i < n; i++) {
        jobs[i] = (struct job){.d = d, .call = json_array_get(calls, i)};
        pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]);
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(jobs[i].thread, NULL);
}

static void run_line(struct duet *d, const char *line)
{
    json_t *call = json_loads(line, 0, NULL);

    if (json_is_array(json_array_get(call, 0)))
        run_at_once(d, call);
    else
        run_one(d, call);
    json_decref(call);
}

int main(int argc, char **argv)
{
    static char line[LINE_BYTES];
    struct duet *d;

    if (argc != 7 && argc != 8)
        return 2;
    struct duet_options options = {
        .server = argv[1],
        .user = argv[2],
        .device = argv[3],
        .platform = "linux",
        .token = argv[4],
        .path = argv[5],
        .ca_file = argc > 7 ? argv[7] : NULL,
        .timeout_ms = (int)strtol(argv[6], NULL, 10),
    };
    static const struct duet_callbacks callbacks = {
        on_new_message, on_refresh, on_event, on_kicked, on_connection};
    enum duet_error error = duet_login(&options, &callbacks, NULL, &d);
    print(json_pack("{s:s, s:s}", "call", "login", "error", duet_error_text(error)));
    if (error)
        return 1;
    while (fgets(line, sizeof(line), stdin))
        run_line(d, line);
    error = duet_logout(d);
    print(json_pack("{s:s, s:s}", "call", "logout", "error", duet_error_text(error)));
    return 0;
}
