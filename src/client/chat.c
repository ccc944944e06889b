/* duet-chat: chats in a terminal, or through a pipe, on nothing but duet.h.
 *
 * One line in, one line out: what is typed goes to the open conversation, or is a command when it
 * begins with a slash. Callbacks print as they come; a lock keeps lines whole. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "duet.h"

#define LINE_BYTES 16384
#define SHOWN 20 /* messages when a conversation is opened */
#define LAST_SENDS_S 10

struct chat {
    struct duet *duet;
    pthread_mutex_t mutex; /* guards what follows, and the terminal */
    char peer[65];         /* the open conversation; empty: none */
    char announced[65];    /* who was said to have written last */
    char oldest[65];       /* the oldest message that is shown of it */
    char last_sent[65];    /* the newest own one that is shown */
    int64_t last_sent_at;
    bool last_sent_read;
    int n_waiting;           /* messages of this run that have no answer yet */
    bool tried;              /* the first login has gone well, or has not */
    bool connected;          /* at least once */
    bool refused;            /* before that: there is no more to wait for */
    pthread_cond_t answered; /* any of these */
    int refused_pipe[2]; /* its second end is closed by the refusal: nobody waits for input then */
};

/* ---- printing ---- */

/* What others have written may hold whatever a terminal obeys: no control character passes, neither
 * those of one byte nor U+0080 to U+009F (C2 80 to C2 9F). */
static void put_text(const char *s)
{
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (*p < 0x20 || *p == 0x7F)
            putchar(' ');
        else if (p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0)
            p++;
        else
            putchar(*p);
    }
}

static void put_time(int64_t ms)
{
    char text[16];
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%H:%M", &tm);
    printf("%s ", text);
}

static void put_body(const struct duet_message *m)
{
    if (m->state == DUET_RECALLED)
        printf("(recalled)");
    else if (m->text)
        put_text(m->text);
    else
        printf("(something that this program cannot show)");
}

static const char *name_of(const struct duet_message *m)
{
    if (m->outgoing)
        return "you";
    return m->sender_nick[0] ? m->sender_nick : m->from;
}

static void put_message(const struct duet_message *m)
{
    put_time(m->sent_at);
    put_text(name_of(m));
    printf(": ");
    put_body(m);
    printf("%s\n", m->state == DUET_SENDING ? " (waiting)" : "");
}

/* A line that nobody has written: "* " and what is to be said. */
static void say(const char *what, const char *peer)
{
    printf("* ");
    if (peer) {
        put_text(peer);
        putchar(' ');
    }
    printf("%s\n", what);
}

static void say_if_failed(enum duet_error error)
{
    if (error)
        say(duet_error_text(error), NULL);
}

/* ---- callbacks ---- */

static void lock(struct chat *c)
{
    pthread_mutex_lock(&c->mutex);
}

static void unlock(struct chat *c)
{
    (void)fflush(stdout);
    pthread_mutex_unlock(&c->mutex);
}

static void tell(struct chat *c, const char *what)
{
    lock(c);
    say(what, NULL);
    unlock(c);
}

static void tell_if_failed(struct chat *c, enum duet_error error)
{
    if (error)
        tell(c, duet_error_text(error));
}

static bool is_open(const struct chat *c, const char *peer)
{
    return c->peer[0] && strcmp(c->peer, peer) == 0;
}

static void note_shown(struct chat *c, const struct duet_message *m)
{
    if (!m->outgoing || m->sent_at < c->last_sent_at)
        return;
    snprintf(c->last_sent, sizeof(c->last_sent), "%s", m->id);
    c->last_sent_at = m->sent_at;
    c->last_sent_read = false;
}

/* Once, however much somebody writes. */
static void announce(struct chat *c, const char *peer)
{
    if (strcmp(c->announced, peer) == 0)
        return;
    snprintf(c->announced, sizeof(c->announced), "%s", peer);
    say("has written to you", peer);
}

static void on_new_message(void *user, const struct duet_message *m, enum duet_source source)
{
    struct chat *c = user;

    if (source == DUET_RECENT)
        return;
    lock(c);
    bool open = is_open(c, m->peer);
    if (open) {
        put_message(m);
        note_shown(c, m);
    } else if (!m->outgoing) {
        announce(c, m->peer);
    }
    unlock(c);
    if (open && !m->outgoing)
        duet_mark_read(c->duet, m->peer, m->id);
}

static void show_read(struct chat *c, int64_t up_to)
{
    if (c->last_sent[0] && !c->last_sent_read && up_to >= c->last_sent_at) {
        c->last_sent_read = true;
        say("has read it", c->peer);
    }
}

static void show_change(const struct duet_event *e)
{
    say(e->kind == DUET_EVENT_MESSAGE_EDITED ? "has changed a message:"
                                             : "has taken a message back:",
        e->message->outgoing ? "you" : e->peer);
    put_message(e->message);
}

static void count_answer(struct chat *c, const struct duet_event *e)
{
    if (e->kind != DUET_EVENT_SENT && e->kind != DUET_EVENT_SEND_REFUSED)
        return;
    c->n_waiting--;
    pthread_cond_signal(&c->answered);
}

static void on_event(void *user, const struct duet_event *e)
{
    struct chat *c = user;

    lock(c);
    count_answer(c, e);
    if (e->kind == DUET_EVENT_SEND_REFUSED) {
        printf("* not sent: %s\n", duet_error_text(e->error));
    } else if (is_open(c, e->peer) && e->kind == DUET_EVENT_PEER_READ) {
        show_read(c, e->up_to);
    } else if (
        is_open(c, e->peer) && e->message &&
        (e->kind == DUET_EVENT_MESSAGE_EDITED || e->kind == DUET_EVENT_MESSAGE_RECALLED)) {
        show_change(e);
    }
    unlock(c);
}

static void on_kicked(void *user, const char *reason)
{
    struct chat *c = user;

    lock(c);
    printf("* this session was ended from elsewhere: ");
    put_text(reason);
    putchar('\n');
    unlock(c);
}

/* In the server's words, where it has said any. */
static void put_refusal(struct chat *c, enum duet_error why)
{
    char reason[DUET_REFUSAL_SIZE];

    duet_refusal(c->duet, reason);
    printf("* cannot log in: ");
    put_text(reason[0] ? reason : duet_error_text(why));
    putchar('\n');
}

static void signed_out(struct chat *c, enum duet_error why)
{
    if (c->connected && why == DUET_UNAUTHENTICATED)
        say("the token is not accepted any more; start again with a new one", NULL);
    else
        put_refusal(c, why);
    if (!c->connected) {
        c->refused = true;
        close(c->refused_pipe[1]);
    }
}

static void on_connection(void *user, enum duet_connection state, enum duet_error why)
{
    struct chat *c = user;

    lock(c);
    switch (state) {
    case DUET_CONNECTING:
        break;
    case DUET_CONNECTED:
        say("connected", NULL);
        c->connected = true;
        break;
    case DUET_DISCONNECTED:
        printf("* not connected, trying again: %s\n", duet_error_text(why));
        break;
    case DUET_SIGNED_OUT:
        signed_out(c, why);
        break;
    }
    if (state != DUET_CONNECTING) {
        c->tried = true;
        pthread_cond_signal(&c->answered);
    }
    unlock(c);
}

/* ---- commands ---- */

static void put_conversation(const struct duet_conversation *v)
{
    printf("  ");
    put_text(v->peer);
    if (v->nick[0]) {
        printf(" (");
        put_text(v->nick);
        putchar(')');
    }
    if (v->unread)
        printf(", %d unread", v->unread);
    if (v->last_message) {
        printf(": ");
        put_body(v->last_message);
    }
    putchar('\n');
}

static void list_conversations(struct chat *c)
{
    struct duet_conversations *list;
    enum duet_error error = duet_conversations(c->duet, &list);

    lock(c);
    say_if_failed(error);
    if (!error) {
        say(list->n ? "conversations:" : "no conversations yet: /open SOMEBODY", NULL);
        for (size_t i = 0; i < list->n; i++)
            put_conversation(&list->items[i]);
        duet_conversations_free(list);
    }
    unlock(c);
}

static void on_refresh(void *user)
{
    list_conversations(user);
}

/* Newest first they come, oldest first they are read. */
static void show_messages(struct chat *c, const struct duet_messages *messages)
{
    if (!messages->complete)
        say("not all is here", NULL);
    for (size_t i = messages->n; i-- > 0;) {
        put_message(&messages->items[i]);
        note_shown(c, &messages->items[i]);
    }
    if (messages->n)
        snprintf(c->oldest, sizeof(c->oldest), "%s", messages->items[messages->n - 1].id);
}

static int64_t peer_read_up_to(struct chat *c, const char *peer)
{
    struct duet_conversations *list;
    int64_t up_to = 0;

    if (duet_conversations(c->duet, &list))
        return 0;
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i].peer, peer) == 0)
            up_to = list->items[i].peer_read_up_to;
    duet_conversations_free(list);
    return up_to;
}

static void mark_newest_read(struct chat *c, const char *peer, const struct duet_messages *messages)
{
    for (size_t i = 0; i < messages->n; i++) {
        if (!messages->items[i].outgoing) {
            duet_mark_read(c->duet, peer, messages->items[i].id);
            return;
        }
    }
}

static void open_conversation(struct chat *c, const char *peer)
{
    struct duet_messages *messages;
    enum duet_error error = duet_get_messages(c->duet, peer, NULL, SHOWN, &messages);
    int64_t up_to = error ? 0 : peer_read_up_to(c, peer);

    lock(c);
    say_if_failed(error);
    if (!error) {
        snprintf(c->peer, sizeof(c->peer), "%s", peer);
        c->announced[0] = '\0';
        c->last_sent[0] = '\0';
        c->last_sent_at = 0;
        say("is who you write to", peer);
        show_messages(c, messages);
        show_read(c, up_to);
    }
    unlock(c);
    if (!error) {
        mark_newest_read(c, peer, messages);
        duet_messages_free(messages);
    }
}

static void show_older(struct chat *c, const char *unused)
{
    struct duet_messages *messages;

    (void)unused;
    if (!c->peer[0] || !c->oldest[0])
        return;
    enum duet_error error = duet_get_messages(c->duet, c->peer, c->oldest, SHOWN, &messages);
    lock(c);
    say_if_failed(error);
    if (!error) {
        show_messages(c, messages);
        if (messages->end)
            say("there is nothing older", NULL);
        duet_messages_free(messages);
    }
    unlock(c);
}

static void recall_last(struct chat *c, const char *unused)
{
    char id[65];

    (void)unused;
    lock(c);
    snprintf(id, sizeof(id), "%s", c->last_sent);
    unlock(c);
    tell_if_failed(c, duet_recall(c->duet, id));
}

static void list_command(struct chat *c, const char *unused)
{
    (void)unused;
    list_conversations(c);
}

static void block(struct chat *c, const char *peer)
{
    tell_if_failed(c, duet_block_add(c->duet, peer));
}

static void unblock(struct chat *c, const char *peer)
{
    tell_if_failed(c, duet_block_remove(c->duet, peer));
}

static void help(struct chat *c, const char *argument);

static const struct {
    const char *name;
    void (*run)(struct chat *c, const char *argument);
    const char *help;
} commands[] = {
    {"/list", list_command, "          the conversations"},
    {"/open", open_conversation, " SOMEBODY  write to somebody; what comes is read"},
    {"/older", show_older, "         messages before those that are shown"},
    {"/recall", recall_last, "        take the last message back"},
    {"/block", block, " SOMEBODY nothing from somebody any more"},
    {"/unblock", unblock, " SOMEBODY"},
    {"/help", help, ""},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(struct chat *c, const char *unused)
{
    (void)unused;
    lock(c);
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %s%s\n", commands[i].name, commands[i].help);
    printf("  /quit\n");
    unlock(c);
}

static void send_line(struct chat *c, const char *line)
{
    struct duet_outgoing message = {.to = c->peer, .text = line};

    if (!c->peer[0]) {
        tell(c, "to whom? /open SOMEBODY");
        return;
    }
    /* Under the lock, so that the answer is not counted before the message is. */
    lock(c);
    enum duet_error error = duet_send(c->duet, &message, NULL);
    if (error)
        say_if_failed(error);
    else
        c->n_waiting++;
    unlock(c);
}

/* At the end of a script what it has sent is still on its way, and perhaps the login is too. What
 * waits longer stays in the outbox, if there is a store. */
static void wait_for_answers(struct chat *c)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LAST_SENDS_S;
    lock(c);
    while ((c->n_waiting > 0 || !c->tried) && !c->refused &&
           pthread_cond_timedwait(&c->answered, &c->mutex, &until) == 0)
        ;
    unlock(c);
}

static void run_command(struct chat *c, char *line)
{
    char *argument = line + strcspn(line, " ");

    if (*argument)
        *argument++ = '\0';
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(line, commands[i].name) == 0) {
            commands[i].run(c, argument);
            return;
        }
    }
    tell(c, "there is no such command; /help lists them");
}

struct input {
    char bytes[LINE_BYTES];
    size_t n;
};

/* False at the end of the input, and when the login was refused. */
static bool read_more(const struct chat *c, struct input *in)
{
    struct pollfd fds[] = {
        {.fd = STDIN_FILENO, .events = POLLIN}, {.fd = c->refused_pipe[0], .events = POLLIN}};

    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return false;
    if (fds[1].revents)
        return false;
    ssize_t n = read(STDIN_FILENO, in->bytes + in->n, sizeof(in->bytes) - in->n);
    if (n > 0)
        in->n += (size_t)n;
    return n > 0;
}

/* What is longer than there is room for comes in pieces. */
static bool next_line(const struct chat *c, struct input *in, char ret[LINE_BYTES + 1])
{
    const char *end;

    while (!(end = memchr(in->bytes, '\n', in->n)) && in->n < sizeof(in->bytes) && read_more(c, in))
        ;
    size_t length = end ? (size_t)(end - in->bytes) : in->n;
    if (in->n == 0)
        return false;
    memcpy(ret, in->bytes, length);
    ret[length] = '\0';
    in->n -= length + (end != NULL);
    memmove(in->bytes, in->bytes + length + (end != NULL), in->n);
    return true;
}

static void read_lines(struct chat *c)
{
    static struct input input;
    static char line[LINE_BYTES + 1];

    while (next_line(c, &input, line)) {
        if (strcmp(line, "/quit") == 0)
            return;
        if (line[0] == '/')
            run_command(c, line);
        else if (line[0])
            send_line(c, line);
    }
}

/* ---- starting ---- */

static const char usage[] =
    "usage: duet-chat [-s SERVER] [-d DEVICE] [-f STORE] -t TOKEN_FILE USER\n"
    "\n"
    "  -s SERVER      where Duet is; http://127.0.0.1:8080\n"
    "  -d DEVICE      names this device among the user's; terminal\n"
    "  -f STORE       the file of the local store; without it nothing is kept\n"
    "  -t TOKEN_FILE  has the user's token in its first line\n";

static bool read_token(const char *path, char *token, int size)
{
    FILE *file = fopen(path, "r");
    bool good = file && fgets(token, size, file);

    if (file)
        (void)fclose(file);
    if (good)
        token[strcspn(token, "\r\n")] = '\0';
    return good;
}

static const char *read_options(int argc, char **argv, struct duet_options *ret)
{
    const char *token_file = NULL;
    int option;

    while ((option = getopt(argc, argv, "s:d:f:t:")) != -1) {
        if (option == 's')
            ret->server = optarg;
        else if (option == 'd')
            ret->device = optarg;
        else if (option == 'f')
            ret->path = optarg;
        else if (option == 't')
            token_file = optarg;
        else
            return NULL;
    }
    ret->user = optind + 1 == argc ? argv[optind] : NULL;
    return ret->user ? token_file : NULL;
}

int main(int argc, char **argv)
{
    static char token[LINE_BYTES];
    static struct chat chat = {
        .mutex = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER};
    static const struct duet_callbacks callbacks = {
        on_new_message, on_refresh, on_event, on_kicked, on_connection};
    struct duet_options options = {
        .server = "http://127.0.0.1:8080",
        .device = "terminal",
        .platform = "linux",
        .token = token,
        .path = ":memory:",
    };
    const char *token_file = read_options(argc, argv, &options);

    if (!token_file) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (!read_token(token_file, token, sizeof(token))) {
        perror(token_file);
        return 1;
    }
    if (pipe(chat.refused_pipe) != 0) {
        perror("duet-chat");
        return 1;
    }
    enum duet_error error = duet_login(&options, &callbacks, &chat, &chat.duet);
    if (error) {
        (void)fprintf(stderr, "duet-chat: %s\n", duet_error_text(error));
        return 1;
    }
    read_lines(&chat);
    wait_for_answers(&chat);
    duet_logout(chat.duet);
    return chat.refused;
}
