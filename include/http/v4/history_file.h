/* The messages of an hour in the published shape: gzip of one JSON object, a message a line.
 *
 * Made of the lines of an archive, piece by piece, and the same bytes each time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct history_file;

#define HISTORY_MD5_TEXT 33

struct history_facts {
    int64_t messages;
    int64_t size; /* before compression */
    char md5[HISTORY_MD5_TEXT];
    int64_t gzip_size;
    char gzip_md5[HISTORY_MD5_TEXT];
};

/* `msg_time` as the request says it, ten digits. */
struct history_file *history_file_new(int64_t app_id, struct text msg_time);
void history_file_free(void *file);
/* Appends to *ret what becomes of a piece of the archive; with `last`, the end of the file. -1 when
 * the archive is not as it must be. */
int history_file_add(struct history_file *file, struct text piece, bool last, struct buf *ret);
void history_file_facts(const struct history_file *file, struct history_facts *ret);
