/* duetd: the commands, and the life of the server. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/settings.h"
#include "http/keys.h"
#include "http/route.h"
#include "http/server.h"
#include "http/token.h"
#include "http/v4/usersig.h"
#include "http/v4/v4.h"
#include "ops/message.h"
#include "ops/services.h"
#include "store/doctor.h"
#include "store/schema.h"
#include "store/store.h"

extern char **environ;

#define TOKENS_CACHED 4096
#define USERSIG_SECONDS 86400
#define REPORT_BYTES (1 << 20)
/* After the queues were emptied replies only have to be written. */
#define LAST_REPLIES_SECONDS 3

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct program {
    struct arena *arena;
    struct settings settings;
    char why[1024];
};

static int refuse(const struct program *p)
{
    fprintf(stderr, "duetd: %s\n", p->why);
    return EXIT_FAILED;
}

#define REFUSE(p, ...) (snprintf((p)->why, sizeof((p)->why), __VA_ARGS__), refuse(p))

static int read_settings(struct program *p)
{
    return settings_read(environ, p->arena, &p->settings, p->why, sizeof(p->why));
}

static int load_keys(struct program *p, struct keys **ret)
{
    static const char prefix[] = "DUET_KEYS_FILE: ";
    size_t used = sizeof(prefix) - 1;

    memcpy(p->why, prefix, sizeof(prefix));
    if (p->settings.keys_file[0] != '\0')
        return keys_load(p->settings.keys_file, ret, p->why + used, sizeof(p->why) - used);
    snprintf(
        p->why + used, sizeof(p->why) - used, "the file with the keys of tokens is to be named.");
    return -1;
}

/* ---- serve ---- */

struct serving {
    struct program *program;
    struct metrics *metrics;
    struct tokens *tokens;
    struct services services;
    struct server *server;
};

static void block_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ret, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Of database connections, listening sockets, and clients who are just being turned away. */
#define OTHER_FILES 256
#define CONNECTIONS_MIN 16

/* There are to be as many files as connections and streams. Where the limit, which is the
 * operator's, is lower, so are the two: a client for whom there is no file is told nothing. */
static int fit_into_file_limit(struct program *p)
{
    struct settings *s = &p->settings;
    int64_t wanted = s->max_connections + s->max_streams + OTHER_FILES;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= (rlim_t)wanted)
        return 0;
    limit.rlim_cur = limit.rlim_max < (rlim_t)wanted ? limit.rlim_max : (rlim_t)wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    int64_t room = (int64_t)limit.rlim_cur - OTHER_FILES;
    if (room >= wanted - OTHER_FILES)
        return 0;
    if (room <= CONNECTIONS_MIN) {
        snprintf(
            p->why, sizeof(p->why),
            "The process may have %lld open files, and needs more than %d: see `ulimit -n`.",
            (long long)limit.rlim_cur, OTHER_FILES + CONNECTIONS_MIN);
        return -1;
    }
    s->max_connections = room * s->max_connections / (s->max_connections + s->max_streams);
    if (s->max_connections < CONNECTIONS_MIN)
        s->max_connections = CONNECTIONS_MIN;
    s->max_streams = room - s->max_connections;
    log_event(
        LOG_WARN, "few_files", LOG_INT("limit", limit.rlim_cur), LOG_INT("wanted", wanted),
        LOG_INT("max_connections", s->max_connections), LOG_INT("max_streams", s->max_streams));
    return 0;
}

/* A file that is wrong changes nothing: the keys in use stay. */
static void reload_keys(struct serving *s)
{
    struct keys *keys = NULL;
    struct program *p = s->program;

    if (load_keys(p, &keys) != 0) {
        log_event(LOG_ERROR, "keys_not_reloaded", LOG_STR("why", p->why));
        return;
    }
    tokens_replace_keys(s->tokens, keys);
    log_event(LOG_INFO, "keys_reloaded");
}

static void wait_for_end(struct serving *s, const sigset_t *signals)
{
    int which = 0;

    while (sigwait(signals, &which) == 0 && which == SIGHUP)
        reload_keys(s);
    log_event(LOG_INFO, "stopping", LOG_STR("signal", which == SIGINT ? "SIGINT" : "SIGTERM"));
}

static const struct operation **list_operations(struct arena *arena)
{
    const struct operation **operations = arena_alloc(arena, sizeof(*operations) * n_routes);

    for (size_t i = 0; i < n_routes; i++)
        operations[i] = routes[i].operation;
    return operations;
}

/* In this order nothing that was accepted is lost and nothing suspended is left: no new
 * connections; what runs is answered; what still waits is refused; then the replies go out. */
static void stop_serving(struct serving *s)
{
    if (s->server) {
        server_stop_accepting(s->server);
        store_release(s->services.store);
        bool drained = server_drain(s->server, s->program->settings.stop_timeout_s);
        if (!drained)
            log_event(LOG_WARN, "requests_refused_at_stop");
    }
    store_stop(s->services.store);
    if (s->server) {
        server_drain(s->server, LAST_REPLIES_SECONDS);
        server_free(s->server);
    }
    store_free(s->services.store);
    tokens_free(s->tokens);
    v4_free(s->services.v4);
    free(s->metrics);
}

static int sign_user_token(
    void *signer,
    struct text user,
    struct text device,
    int64_t issued_at_us,
    int64_t expires_in_s,
    struct buf *ret,
    int64_t *ret_expires_at_us)
{
    return tokens_sign_user(
        signer, user, device, issued_at_us, expires_in_s, ret, ret_expires_at_us);
}

static int start_serving(struct serving *s, char *address, size_t address_size)
{
    struct program *p = s->program;
    struct keys *keys = NULL;

    if (load_keys(p, &keys) != 0)
        return -1;
    if (v4_new(&p->settings, &s->services.v4, p->why, sizeof(p->why)) != 0) {
        keys_unref(keys);
        return -1;
    }
    s->tokens = tokens_new(keys, p->settings.issuer, p->settings.audience, TOKENS_CACHED);
    s->services.sign_user_token = sign_user_token;
    s->services.signer = s->tokens;
    s->services.n_operations = n_routes;
    s->services.operations = list_operations(p->arena);
    if (store_open(
            &p->settings, s->metrics, s->services.operations, n_routes, &message_line_fields,
            &s->services.store, p->why, sizeof(p->why)) != 0)
        return -1;
    return server_start(
        &s->services, s->tokens, &s->server, address, address_size, p->why, sizeof(p->why));
}

static int serve(struct program *p)
{
    struct serving s = {.program = p, .metrics = mem_alloc(sizeof(*s.metrics))};
    char address[128];
    sigset_t signals;

    s.services.settings = &p->settings;
    s.services.metrics = s.metrics;
    s.services.started_at_us = clock_mono_us();
    block_signals(&signals); /* before any thread, so that only sigwait takes them */
    json_object_seed(0);
    log_start(p->settings.level);
    int started = fit_into_file_limit(p);
    if (started == 0)
        started = start_serving(&s, address, sizeof(address));
    if (started == 0) {
        log_event(
            LOG_INFO, "listening", LOG_STR("address", address), LOG_STR("version", DUET_VERSION),
            LOG_INT("pid", getpid()), LOG_INT("v4_app_id", p->settings.v4_app_id));
        wait_for_end(&s, &signals);
    }
    stop_serving(&s);
    if (started == 0)
        log_event(LOG_INFO, "stopped");
    log_stop();
    return started == 0 ? EXIT_OK : refuse(p);
}

static void print_settings(const struct program *p)
{
    buf_auto b = BUF(REPORT_BYTES);

    settings_print(&p->settings, &b);
    fwrite(b.ptr, 1, b.len, stdout);
}

/* The settings are printed also where one is wrong: who has mistyped a name looks for it here. */
static int command_serve(struct program *p, int argc, char **argv)
{
    bool print = argc == 2 && strcmp(argv[1], "--print-settings") == 0;
    int read = read_settings(p);

    if (print)
        print_settings(p);
    if (read != 0)
        return refuse(p);
    if (print)
        return EXIT_OK;
    if (argc != 1)
        return REFUSE(p, "serve takes no arguments but --print-settings.");
    if (p->settings.database_url[0] == '\0')
        return REFUSE(p, "DUET_DATABASE_URL must say where the database is.");
    return serve(p);
}

/* ---- the other commands ---- */

static int command_migrate(struct program *p, int argc, char **argv)
{
    bool check = argc == 2 && strcmp(argv[1], "--check") == 0;
    const char *url = p->settings.migrate_database_url;
    buf_auto report = BUF(REPORT_BYTES);

    if (argc > 1 && !check)
        return REFUSE(p, "migrate takes no arguments but --check.");
    if (url[0] == '\0')
        return REFUSE(p, "DUET_DATABASE_URL must say where the database is.");
    int result = check ? schema_check(url, &report, p->why, sizeof(p->why))
                       : schema_migrate(url, &report, p->why, sizeof(p->why));
    fwrite(report.ptr ? report.ptr : "", 1, report.len, stdout);
    if (result < 0)
        return refuse(p);
    printf(
        result == 0 ? "The schema is at version %d.\n" : "The schema is not at version %d.\n",
        schema_newest());
    return result == 0 ? EXIT_OK : EXIT_FAILED;
}

static int sign_token(
    struct program *p, const char *subject, const char *scope, int64_t expires_in_s)
{
    struct keys *keys = NULL;
    buf_auto token = BUF(TOKEN_MAX_BYTES);

    if (load_keys(p, &keys) != 0)
        return refuse(p);
    int result = token_sign(
        keys, text_of(subject), text_of(scope), expires_in_s, p->settings.issuer,
        p->settings.audience, &token, p->why, sizeof(p->why));
    keys_unref(keys);
    if (result != 0)
        return refuse(p);
    printf("%.*s\n", (int)token.len, token.ptr);
    return EXIT_OK;
}

static int command_token(struct program *p, int argc, char **argv)
{
    static const struct option options[] = {
        {"subject", required_argument, NULL, 's'},
        {"scope", required_argument, NULL, 'c'},
        {"expires-in", required_argument, NULL, 'e'},
        {NULL, 0, NULL, 0}};
    const char *subject = NULL;
    const char *scope = NULL;
    int64_t expires_in_s = 0;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 's')
            subject = optarg;
        else if (option == 'c')
            scope = optarg;
        else if (option != 'e' || !text_to_i64(text_of(optarg), &expires_in_s))
            return EXIT_USAGE;
    }
    if (!subject || !scope || expires_in_s <= 0 || optind != argc)
        return REFUSE(
            p, "token needs --subject NAME, --scope \"SCOPE …\" and --expires-in SECONDS.");
    return sign_token(p, subject, scope, expires_in_s);
}

static int sign_usersig(struct program *p, const char *identifier, int64_t expires_in_s)
{
    buf_auto usersig = BUF(USERSIG_TEXT_BYTES);
    const struct usersig of = {
        .identifier = text_of(identifier),
        .app_id = p->settings.v4_app_id,
        .made_at_s = clock_now_us() / USEC_PER_SEC,
        .expires_in_s = expires_in_s,
    };

    if (p->settings.v4_app_id == 0 || p->settings.v4_key[0] == '\0')
        return REFUSE(p, "DUET_V4_APP_ID and DUET_V4_KEY_FILE must be set.");
    if (usersig_make(&of, text_trim(text_of(p->settings.v4_key)), &usersig) != 0)
        return REFUSE(p, "The identifier is too long.");
    printf("%.*s\n", (int)usersig.len, usersig.ptr);
    return EXIT_OK;
}

static int command_usersig(struct program *p, int argc, char **argv)
{
    static const struct option options[] = {
        {"identifier", required_argument, NULL, 'i'},
        {"expires-in", required_argument, NULL, 'e'},
        {NULL, 0, NULL, 0}};
    const char *identifier = NULL;
    int64_t expires_in_s = USERSIG_SECONDS;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'i')
            identifier = optarg;
        else if (option != 'e' || !text_to_i64(text_of(optarg), &expires_in_s))
            return EXIT_USAGE;
    }
    if (!identifier || !identifier[0] || expires_in_s <= 0 || optind != argc)
        return REFUSE(p, "usersig needs --identifier NAME, and may have --expires-in SECONDS.");
    return sign_usersig(p, identifier, expires_in_s);
}

static int command_routes(struct program *p, int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return REFUSE(p, "routes takes no arguments.");
    json_t *json = routes_describe();
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
    return EXIT_OK;
}

static int command_doctor(struct program *p, int argc, char **argv)
{
    struct keys *keys = NULL;
    buf_auto report = BUF(REPORT_BYTES);

    (void)argv;
    if (argc != 1)
        return REFUSE(p, "doctor takes no arguments.");
    bool keys_ok = load_keys(p, &keys) == 0;
    keys_unref(keys);
    printf(
        "%-4s keys        %s\n", keys_ok ? "ok" : "bad", keys_ok ? p->settings.keys_file : p->why);
    bool database_ok = doctor_examine(p->settings.migrate_database_url, &report);
    fwrite(report.ptr ? report.ptr : "", 1, report.len, stdout);
    return keys_ok && database_ok ? EXIT_OK : EXIT_FAILED;
}

/* ---- which command ---- */

static const struct command {
    const char *name;
    int (*run)(struct program *, int argc, char **argv);
    bool without_settings; /* or it reads them itself */
    const char *help;
} commands[] = {
    {"serve", command_serve, true,
     "serve            serve HTTP until SIGTERM; SIGHUP reads the keys again\n"
     "                   --print-settings  print all settings and end"},
    {"migrate", command_migrate, false,
     "migrate          bring the database's schema up to date\n"
     "                   --check  only say what is missing; exit 1 if anything is"},
    {"token", command_token, false,
     "token            sign a token: --subject NAME --scope \"SCOPE …\" --expires-in SECONDS"},
    {"usersig", command_usersig, false,
     "usersig          sign a UserSig of /v4: --identifier NAME [--expires-in SECONDS]"},
    {"routes", command_routes, true, "routes           print the route table as JSON"},
    {"doctor", command_doctor, false,
     "doctor           examine keys and database, and say what is wrong"},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
    fprintf(
        out, "duetd %s: one-to-one messaging over PostgreSQL\n\nusage: duetd COMMAND\n\n",
        DUET_VERSION);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %s\n", commands[i].help);
    fprintf(out, "  --version        print the version\n  --help           print this\n");
    fprintf(out, "\nSettings are DUET_… variables: `duetd serve --print-settings` lists them.\n");
}

static int run_command(struct program *p, const struct command *command, int argc, char **argv)
{
    if (!command->without_settings && read_settings(p) != 0)
        return refuse(p);
    return command->run(p, argc, argv);
}

static int run(struct program *p, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (strcmp(name, "--version") == 0) {
        printf("duetd %s\n", DUET_VERSION);
        return EXIT_OK;
    }
    if (strcmp(name, "--help") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return run_command(p, &commands[i], argc - 1, argv + 1);
    print_help(stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct program program = {.arena = arena_new()};
    int code = run(&program, argc, argv);

    arena_free(program.arena);
    return code;
}
