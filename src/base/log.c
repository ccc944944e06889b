#include "base/log.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#define VALUE_BYTES 1024
#define LINE_BYTES 8192
#define QUEUE_BYTES (4 << 20)

/* The one state of the program outside structs: the log is where everything else reports to. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    pthread_t writer;
    enum log_level level;
    bool running; /* the writer takes the lines */
    bool stopping;
    struct buf queue;
    uint64_t n_dropped;
} logger = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .filled = PTHREAD_COND_INITIALIZER,
    .level = LOG_INFO,
    .queue = {.ceiling = QUEUE_BYTES},
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* The value without what would be too long, and without what is not UTF-8. */
static void add_value(struct buf *line, struct text t)
{
    char replaced[VALUE_BYTES];

    if (t.len > VALUE_BYTES) {
        t.len = VALUE_BYTES;
        while (t.len && ((unsigned char)t.ptr[t.len] & 0xC0) == 0x80)
            t.len--; /* cut between characters */
    }
    if (!text_is_utf8(t)) {
        for (size_t i = 0; i < t.len; i++)
            replaced[i] = (unsigned char)t.ptr[i] < 0x80 ? t.ptr[i] : '?';
        t.ptr = replaced;
    }
    json_write_text(line, t);
}

static void add_line(
    struct buf *line,
    enum log_level level,
    const char *event,
    const struct log_field *fields,
    size_t n_fields)
{
    char time[CLOCK_TEXT];

    buf_text(line, TEXT("{\"time\":\""));
    buf_text(line, clock_to_text(clock_now_us(), time));
    buf_text(line, TEXT("\",\"level\":\""));
    buf_text(line, text_of(level_names[level]));
    buf_text(line, TEXT("\",\"event\":\""));
    buf_text(line, text_of(event));
    buf_char(line, '"');
    for (size_t i = 0; i < n_fields; i++) {
        if (!fields[i].name || (fields[i].kind == LOG_FIELD_TEXT && !text_present(fields[i].text)))
            continue;
        buf_text(line, TEXT(",\""));
        buf_text(line, text_of(fields[i].name));
        buf_text(line, TEXT("\":"));
        if (fields[i].kind == LOG_FIELD_TEXT)
            add_value(line, fields[i].text);
        else
            json_write_i64(line, fields[i].number);
    }
    buf_text(line, TEXT("}\n"));
}

static void write_all(struct text t)
{
    while (t.len) {
        ssize_t n = write(STDERR_FILENO, t.ptr, t.len);
        if (n <= 0)
            return; /* a log that cannot be written must not stop the server */
        t.ptr += n;
        t.len -= (size_t)n;
    }
}

void log_fields(
    enum log_level level, const char *event, const struct log_field *fields, size_t n_fields)
{
    if (level > logger.level)
        return;
    buf_auto line = BUF(LINE_BYTES);
    add_line(&line, level, event, fields, n_fields);
    if (line.failed)
        return;

    pthread_mutex_lock(&logger.mutex);
    if (!logger.running) {
        write_all(buf_as_text(&line));
    } else {
        bool was_empty = logger.queue.len == 0;
        buf_text(&logger.queue, buf_as_text(&line));
        if (logger.queue.failed) {
            logger.queue.failed = false;
            logger.n_dropped++;
        }
        if (was_empty)
            pthread_cond_signal(&logger.filled);
    }
    pthread_mutex_unlock(&logger.mutex);
}

/* Takes all that is queued in one write, then leaves the lines of the next moments time to gather:
 * a busy server wakes this thread a hundred times a second, not once a line. */
static void *write_lines(void *unused)
{
    const struct timespec gather = {.tv_nsec = 10 * 1000 * 1000};
    buf_auto taken = BUF(QUEUE_BYTES);

    (void)unused;
    pthread_mutex_lock(&logger.mutex);
    while (logger.queue.len || !logger.stopping) {
        if (logger.queue.len == 0) {
            pthread_cond_wait(&logger.filled, &logger.mutex);
            continue;
        }
        struct buf full = logger.queue;
        logger.queue = taken;
        taken = full;
        uint64_t n_dropped = logger.n_dropped;
        logger.n_dropped = 0;
        bool stopping = logger.stopping;
        pthread_mutex_unlock(&logger.mutex);

        write_all(buf_as_text(&taken));
        buf_clear(&taken);
        if (n_dropped)
            log_event(LOG_WARN, "log_lines_dropped", LOG_INT("lines", n_dropped));
        if (!stopping)
            nanosleep(&gather, NULL);
        pthread_mutex_lock(&logger.mutex);
    }
    pthread_mutex_unlock(&logger.mutex);
    return NULL;
}

void log_start(enum log_level level)
{
    logger.level = level;
    logger.stopping = false;
    logger.running = pthread_create(&logger.writer, NULL, write_lines, NULL) == 0;
}

void log_stop(void)
{
    if (!logger.running)
        return;
    pthread_mutex_lock(&logger.mutex);
    logger.stopping = true;
    pthread_cond_signal(&logger.filled);
    pthread_mutex_unlock(&logger.mutex);
    pthread_join(logger.writer, NULL);
    logger.running = false;
    buf_done(&logger.queue);
    logger.queue.ceiling = QUEUE_BYTES;
}

enum log_level log_level(void)
{
    return logger.level;
}
