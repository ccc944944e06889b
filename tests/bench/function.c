/* Calls duet.message_send_batch directly and prints how fast that went as one JSON object: what is
 * left of sending when nothing stands before the database.
 *
 * As ideal as the server's own way can become: prepared, arrays in binary, one call and one commit
 * a batch, and no user in two connections' hands: each connection has a thread and a share of the
 * users, and takes of the messages those between two of them. */
#include <pthread.h>
#include <stdatomic.h>

#include <libpq-fe.h>

#include "measure.h"

/* Types by their fixed numbers in pg_type. */
enum {
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_TEXT = 25,
    OID_BYTEA_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
    OID_TIMESTAMPTZ = 1184,
};

enum {
    ARRAY_HEAD_BYTES = 20,
    MAX_CONNECTIONS = 64,
    MAX_BATCH = 4096,
    RESOLVE_AT_ONCE = 5000,
    TEXT_BYTES = 200,
    CLIENT_ID_DIGITS = 18,
    STORE_SECONDS = 604800,
    OPTIONS_DEFAULT = 1 | 2 | 4 | 8, /* what the API sets where a request says nothing */
    OPTION_ENFORCE_POLICY = 16,
    RETRIES = 10,
};

enum parameter {
    SENDER,
    RECEIVER,
    NONCE,
    CLIENT_ID,
    ELEMENTS,
    CUSTOM_DATA,
    PUSH,
    STORE,
    OPTIONS,
    SENT_BY,
    CALLER,
    IDEMPOTENCY_KEY,
    REQUEST_HASH,
    NOW,
    PARAMETERS,
};

static const char call_sql[] =
    "select * from duet.message_send_batch(p_sender => $1, p_receiver => $2, p_nonce => $3, "
    "p_client_id => $4, p_elements => $5, p_custom_data => $6, p_push => $7, "
    "p_store_seconds => $8, p_options => $9, p_sent_by => $10, p_caller => $11, "
    "p_idempotency_key => $12, p_request_hash => $13, p_now => $14)";

static const Oid parameter_types[PARAMETERS] = {
    [SENDER] = OID_INT8_ARRAY,        [RECEIVER] = OID_INT8_ARRAY,
    [NONCE] = OID_INT8_ARRAY,         [CLIENT_ID] = OID_TEXT_ARRAY,
    [ELEMENTS] = OID_TEXT_ARRAY,      [CUSTOM_DATA] = OID_TEXT_ARRAY,
    [PUSH] = OID_TEXT_ARRAY,          [STORE] = OID_INT8_ARRAY,
    [OPTIONS] = OID_INT8_ARRAY,       [SENT_BY] = OID_TEXT_ARRAY,
    [CALLER] = OID_TEXT_ARRAY,        [IDEMPOTENCY_KEY] = OID_TEXT_ARRAY,
    [REQUEST_HASH] = OID_BYTEA_ARRAY, [NOW] = OID_TIMESTAMPTZ,
};

/* A one-dimensional array in PostgreSQL's binary format, refilled for each batch. */
struct array {
    char *bytes;
    size_t length;
};

struct settings {
    const char *database;
    const char *prefix;
    const char *now; /* null: the database's own clock */
    struct crowd crowd;
    uint64_t connections;
    uint64_t batch;
    uint64_t split; /* which way the users are shared out among the connections */
    uint64_t count; /* messages of all connections; 0: until the time is over */
    double seconds;
    double warm_up_seconds;
    bool client_id;
    bool policy;
    char elements[TEXT_BYTES + 64];
};

struct worker {
    const struct settings *settings;
    const int64_t *user_no;
    uint64_t index;
    uint64_t random;
    uint64_t next_client_id;
    PGconn *database;
    pthread_t thread;

    struct array arrays[NOW];

    uint64_t stored_ever;
    uint64_t stored;   /* while counting */
    uint64_t refused;  /* outcomes other than ok, while counting */
    uint64_t repeated; /* calls that a deadlock sent back */
    uint64_t end_ns;
    struct histogram latency;
};

static atomic_ullong counted_from_ns; /* the end of the warm-up, the same for all */
static atomic_ullong ends_ns;

static void put_u32(char *at, uint32_t value)
{
    at[0] = (char)(value >> 24);
    at[1] = (char)(value >> 16);
    at[2] = (char)(value >> 8);
    at[3] = (char)value;
}

static void array_begin(struct array *array, size_t items, uint32_t type)
{
    put_u32(array->bytes, 1);     /* dimensions */
    put_u32(array->bytes + 4, 1); /* there may be nulls */
    put_u32(array->bytes + 8, type);
    put_u32(array->bytes + 12, (uint32_t)items);
    put_u32(array->bytes + 16, 1); /* the first index */
    array->length = ARRAY_HEAD_BYTES;
}

static void array_add(struct array *array, const char *value, size_t length)
{
    put_u32(array->bytes + array->length, (uint32_t)length);
    memcpy(array->bytes + array->length + 4, value, length);
    array->length += 4 + length;
}

static void array_add_null(struct array *array)
{
    put_u32(array->bytes + array->length, UINT32_MAX);
    array->length += 4;
}

static void array_add_number(struct array *array, int64_t value)
{
    char bytes[8];

    put_u32(bytes, (uint32_t)((uint64_t)value >> 32));
    put_u32(bytes + 4, (uint32_t)value);
    array_add(array, bytes, sizeof(bytes));
}

static void array_add_text(struct array *array, const char *text)
{
    array_add(array, text, strlen(text));
}

static uint32_t element_type(enum parameter parameter)
{
    switch (parameter_types[parameter]) {
    case OID_INT8_ARRAY:
        return OID_INT8;
    case OID_BYTEA_ARRAY:
        return OID_BYTEA;
    default:
        return OID_TEXT;
    }
}

static bool is_own(const struct worker *worker, uint64_t user)
{
    uint64_t side = worker->settings->split << 32 | user;

    return random_next(&side) % worker->settings->connections == worker->index;
}

static void add_message(struct worker *worker)
{
    const struct settings *settings = worker->settings;
    struct array *arrays = worker->arrays;
    uint64_t sender, receiver;
    char client_id[CLIENT_ID_DIGITS];

    do {
        sender = crowd_sender(&settings->crowd, &worker->random);
        receiver = crowd_receiver(&settings->crowd, sender, &worker->random);
    } while (!is_own(worker, sender) || !is_own(worker, receiver));
    array_add_number(&arrays[SENDER], worker->user_no[sender]);
    array_add_number(&arrays[RECEIVER], worker->user_no[receiver]);
    array_add_number(&arrays[NONCE], (int64_t)(random_next(&worker->random) >> 32));
    if (settings->client_id) {
        patch_digits(client_id, sizeof(client_id), worker->next_client_id++);
        array_add(&arrays[CLIENT_ID], client_id, sizeof(client_id));
    } else {
        array_add_null(&arrays[CLIENT_ID]);
    }
    array_add_text(&arrays[ELEMENTS], settings->elements);
    array_add_null(&arrays[CUSTOM_DATA]);
    array_add_null(&arrays[PUSH]);
    array_add_number(&arrays[STORE], STORE_SECONDS);
    array_add_number(
        &arrays[OPTIONS], OPTIONS_DEFAULT | (settings->policy ? OPTION_ENFORCE_POLICY : 0));
    array_add_text(&arrays[SENT_BY], "bench");
    array_add_text(&arrays[CALLER], "bench");
    array_add_null(&arrays[IDEMPOTENCY_KEY]);
    array_add_null(&arrays[REQUEST_HASH]);
}

static void make_batch(struct worker *worker)
{
    for (int parameter = SENDER; parameter < NOW; parameter++)
        array_begin(
            &worker->arrays[parameter], worker->settings->batch,
            element_type((enum parameter)parameter));
    for (uint64_t i = 0; i < worker->settings->batch; i++)
        add_message(worker);
}

static PGresult *call_batch(struct worker *worker)
{
    const char *values[PARAMETERS];
    int lengths[PARAMETERS] = {0};
    int formats[PARAMETERS] = {0};

    for (int parameter = SENDER; parameter < NOW; parameter++) {
        values[parameter] = worker->arrays[parameter].bytes;
        lengths[parameter] = (int)worker->arrays[parameter].length;
        formats[parameter] = 1;
    }
    values[NOW] = worker->settings->now;
    return PQexecPrepared(worker->database, "send", PARAMETERS, values, lengths, formats, 1);
}

static bool is_deadlock(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state && (strcmp(state, "40P01") == 0 || strcmp(state, "40001") == 0);
}

static PGresult *send_batch(struct worker *worker)
{
    PGresult *result = NULL;

    for (int attempt = 0; attempt < RETRIES; attempt++) {
        result = call_batch(worker);
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            return result;
        if (!is_deadlock(result))
            break;
        worker->repeated++;
        PQclear(result);
        result = NULL;
    }
    measure_die("message_send_batch", result ? PQresultErrorMessage(result) : "deadlocks");
}

static uint64_t count_refused(const PGresult *result)
{
    int column = PQfnumber(result, "outcome");
    uint64_t refused = 0;

    for (int row = 0; row < PQntuples(result); row++)
        refused += strcmp(PQgetvalue(result, row, column), "ok") != 0;
    return refused;
}

static void send_one_batch(struct worker *worker)
{
    uint64_t batch = worker->settings->batch;
    uint64_t before_ns, refused;
    PGresult *result;

    make_batch(worker);
    before_ns = measure_now_ns();
    result = send_batch(worker);
    worker->end_ns = measure_now_ns();
    if ((uint64_t)PQntuples(result) != batch)
        measure_die("message_send_batch", "did not answer each item once");
    refused = count_refused(result);
    PQclear(result);
    worker->stored_ever += batch - refused;
    if (before_ns < atomic_load_explicit(&counted_from_ns, memory_order_relaxed))
        return;
    worker->stored += batch - refused;
    worker->refused += refused;
    histogram_add(&worker->latency, worker->end_ns - before_ns);
}

static bool goes_on(const struct worker *worker)
{
    const struct settings *settings = worker->settings;

    if (settings->count)
        return worker->stored_ever * settings->connections < settings->count;
    return measure_now_ns() < atomic_load_explicit(&ends_ns, memory_order_relaxed);
}

static void *work(void *argument)
{
    struct worker *worker = argument;

    while (goes_on(worker))
        send_one_batch(worker);
    return NULL;
}

static PGconn *connect_database(const struct settings *settings)
{
    PGconn *database = PQconnectdb(settings->database);

    if (PQstatus(database) != CONNECTION_OK)
        measure_die("connect", PQerrorMessage(database));
    return database;
}

static void start_worker(struct worker *worker)
{
    /* Each item at its longest, with its length. */
    size_t item_bytes = sizeof(worker->settings->elements) + 4;
    PGresult *result;

    for (int parameter = SENDER; parameter < NOW; parameter++) {
        worker->arrays[parameter].bytes =
            malloc(ARRAY_HEAD_BYTES + worker->settings->batch * item_bytes);
        if (!worker->arrays[parameter].bytes)
            measure_die("start", "out of memory");
    }
    worker->database = connect_database(worker->settings);
    result = PQprepare(worker->database, "send", call_sql, PARAMETERS, parameter_types);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        measure_die("prepare", PQresultErrorMessage(result));
    PQclear(result);
}

static void finish_worker(struct worker *worker)
{
    PQfinish(worker->database);
    for (int parameter = SENDER; parameter < NOW; parameter++)
        free(worker->arrays[parameter].bytes);
}

/* The numbers of the users from `first` on, in one call. */
static void resolve_some(
    PGconn *database, const struct settings *settings, uint64_t first, int64_t *user_no)
{
    uint64_t end = first + RESOLVE_AT_ONCE;
    struct array ids = {.bytes = malloc(ARRAY_HEAD_BYTES + RESOLVE_AT_ONCE * 72)};
    size_t prefix_length = strlen(settings->prefix);
    char id[64];
    const char *values[1];
    int lengths[1];
    int formats[1] = {1};
    Oid types[1] = {OID_TEXT_ARRAY};
    PGresult *result;

    if (!ids.bytes)
        measure_die("resolve", "out of memory");
    if (end > settings->crowd.users)
        end = settings->crowd.users;
    array_begin(&ids, end - first, OID_TEXT);
    memcpy(id, settings->prefix, prefix_length);
    for (uint64_t user = first; user < end; user++) {
        patch_digits(id + prefix_length, MEASURE_USER_DIGITS, user);
        array_add(&ids, id, prefix_length + MEASURE_USER_DIGITS);
    }
    values[0] = ids.bytes;
    lengths[0] = (int)ids.length;
    result = PQexecParams(
        database, "select user_id, user_no from duet.user_resolve(p_users => $1)", 1, types, values,
        lengths, formats, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        measure_die("user_resolve", PQresultErrorMessage(result));
    if ((uint64_t)PQntuples(result) != end - first)
        measure_die("user_resolve", "some users are missing");
    for (int row = 0; row < PQntuples(result); row++)
        user_no[strtoull(PQgetvalue(result, row, 0) + prefix_length, NULL, 10)] =
            strtoll(PQgetvalue(result, row, 1), NULL, 10);
    PQclear(result);
    free(ids.bytes);
}

static int64_t *resolve_users(const struct settings *settings)
{
    int64_t *user_no = calloc(settings->crowd.users, sizeof(*user_no));
    PGconn *database = connect_database(settings);

    if (!user_no)
        measure_die("resolve", "out of memory");
    for (uint64_t first = 0; first < settings->crowd.users; first += RESOLVE_AT_ONCE)
        resolve_some(database, settings, first, user_no);
    PQfinish(database);
    return user_no;
}

static void run_workers(struct worker *workers, const struct settings *settings)
{
    uint64_t start_ns = measure_now_ns();
    uint64_t warm_ns =
        settings->count ? start_ns : start_ns + (uint64_t)(settings->warm_up_seconds * NS_PER_S);

    atomic_store(&counted_from_ns, warm_ns);
    atomic_store(&ends_ns, warm_ns + (uint64_t)(settings->seconds * NS_PER_S));
    for (uint64_t i = 0; i < settings->connections; i++) {
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            measure_die("start", "no more threads");
    }
    for (uint64_t i = 0; i < settings->connections; i++)
        (void)pthread_join(workers[i].thread, NULL);
}

static void print_result(struct worker *workers, const struct settings *settings)
{
    struct worker *all = &workers[0];
    double seconds;

    for (uint64_t i = 1; i < settings->connections; i++) {
        all->stored += workers[i].stored;
        all->stored_ever += workers[i].stored_ever;
        all->refused += workers[i].refused;
        all->repeated += workers[i].repeated;
        if (workers[i].end_ns > all->end_ns)
            all->end_ns = workers[i].end_ns;
        histogram_merge(&all->latency, &workers[i].latency);
    }
    seconds = (double)(all->end_ns - atomic_load(&counted_from_ns)) / NS_PER_S;
    (void)printf(
        "{\"connections\": %llu, \"batch\": %llu, \"seconds\": %.3f, \"rate\": %.1f, "
        "\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"finished_ever\": %llu, "
        "\"refused\": %llu, \"repeated\": %llu}\n",
        (unsigned long long)settings->connections, (unsigned long long)settings->batch, seconds,
        (double)all->stored / seconds, histogram_quantile_us(&all->latency, 0.5),
        histogram_quantile_us(&all->latency, 0.99), (double)all->latency.max_ns / 1000,
        (unsigned long long)all->stored_ever, (unsigned long long)all->refused,
        (unsigned long long)all->repeated);
}

static void read_options(struct settings *settings, char **arguments)
{
    const struct option known[] = {
        {"--database", OPTION_TEXT, &settings->database},
        {"--connections", OPTION_NUMBER, &settings->connections},
        {"--batch", OPTION_NUMBER, &settings->batch},
        {"--seconds", OPTION_SECONDS, &settings->seconds},
        {"--warm-up", OPTION_SECONDS, &settings->warm_up_seconds},
        {"--count", OPTION_NUMBER, &settings->count},
        {"--now", OPTION_TEXT, &settings->now},
        {"--prefix", OPTION_TEXT, &settings->prefix},
        {"--users", OPTION_NUMBER, &settings->crowd.users},
        {"--contacts", OPTION_NUMBER, &settings->crowd.contacts},
        {"--skew", OPTION_NUMBER, &settings->crowd.skew},
        {"--no-client-id", OPTION_OFF, &settings->client_id},
        {"--no-policy", OPTION_OFF, &settings->policy},
        {"--split", OPTION_NUMBER, &settings->split},
        {0},
    };

    options_read(known, arguments);
    if (settings->connections < 1 || settings->connections > MAX_CONNECTIONS)
        measure_die("--connections", "wants 1 to 64");
    if (settings->batch < 1 || settings->batch > MAX_BATCH)
        measure_die("--batch", "wants 1 to 4096");
    crowd_check(&settings->crowd, settings->prefix);
    if (settings->crowd.users < 100 * settings->connections)
        measure_die("--users", "wants a hundred for each connection");
}

int main(int argc, char **arguments)
{
    struct settings settings = {
        .database = "",
        .prefix = "bench",
        .crowd = {.users = 100000, .contacts = 20, .skew = 3},
        .connections = 2,
        .batch = 256,
        .seconds = 10,
        .warm_up_seconds = 2,
        .client_id = true,
        .policy = true,
    };
    struct worker *workers = calloc(MAX_CONNECTIONS, sizeof(*workers));
    char text[TEXT_BYTES + 1] = "";
    int64_t *user_no;

    (void)argc;
    read_options(&settings, arguments);
    memset(text, 'm', TEXT_BYTES);
    (void)snprintf(
        settings.elements, sizeof(settings.elements), "[{\"type\":\"text\",\"text\":\"%s\"}]",
        text);
    if (!workers)
        measure_die("start", "out of memory");
    user_no = resolve_users(&settings);
    for (uint64_t i = 0; i < settings.connections; i++) {
        workers[i].settings = &settings;
        workers[i].user_no = user_no;
        workers[i].index = i;
        workers[i].random = (uint64_t)time(NULL) ^ measure_now_ns() ^ i << 32;
        /* Never the same messages twice: a repeated client id would be answered as a retry. */
        workers[i].next_client_id = (uint64_t)time(NULL) * 100000000ULL + i * 10000000ULL;
        start_worker(&workers[i]);
    }
    run_workers(workers, &settings);
    print_result(workers, &settings);
    for (uint64_t i = 0; i < settings.connections; i++)
        finish_worker(&workers[i]);
    free(user_no);
    free(workers);
    return 0;
}
