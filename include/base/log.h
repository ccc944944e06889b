/* The log: one JSON object a line on standard error, written by one thread from a bounded queue
 * that drops and counts when it is full, so that a full disk or a slow terminal never holds a
 * request. */
#pragma once

#include <stdint.h>

#include "base/text.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* A member of a line. Made with the LOG_... macros below. */
struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INT } kind;
    struct text text;
    int64_t number;
};

#define LOG_TEXT(name, t) ((struct log_field){name, LOG_FIELD_TEXT, t, 0})
#define LOG_STR(name, c_string) ((struct log_field){name, LOG_FIELD_TEXT, text_of(c_string), 0})
#define LOG_INT(name, n) ((struct log_field){name, LOG_FIELD_INT, TEXT_ABSENT, (int64_t)(n)})

/* Starts the writing thread; until then, and after log_stop, lines are written at once. */
void log_start(enum log_level level);
void log_stop(void);
enum log_level log_level(void);

/* log_event(LOG_WARN, "database_lost", LOG_STR("sqlstate", s), …): time, level and event come
 * first. Values are escaped and cut at 1 KiB. Never a body, never a token. */
#define log_event(level, event, ...)                                                               \
    log_fields(                                                                                    \
        level, event, (const struct log_field[]){{0}, ##__VA_ARGS__},                              \
        sizeof((const struct log_field[]){{0}, ##__VA_ARGS__}) / sizeof(struct log_field))
void log_fields(
    enum log_level level, const char *event, const struct log_field *fields, size_t n_fields);
