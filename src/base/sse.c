#include "base/sse.h"

#include <inttypes.h>

/* Between the tokens of JSON a line's end is a blank; within a string there is none. */
static void write_data(struct buf *ret, struct text json)
{
    buf_text(ret, TEXT("data: "));
    for (size_t i = 0; i < json.len; i++)
        buf_char(ret, json.ptr[i] == '\n' || json.ptr[i] == '\r' ? ' ' : json.ptr[i]);
    buf_text(ret, TEXT("\n\n"));
}

void sse_write(struct buf *ret, struct text event, int64_t id, struct text json)
{
    if (id != FIELD_ABSENT)
        buf_printf(ret, "id: %" PRId64 "\n", id);
    buf_printf(ret, "event: %.*s\n", TEXT_ARG(event));
    write_data(ret, json);
}

static const void *member(const struct fields *fields, const void *record, const char *name)
{
    const struct field *field = fields->list;

    while (strcmp(field->name, name) != 0)
        field++;
    return (const char *)record + field->offset;
}

void sse_write_record(struct buf *ret, const struct fields *fields, const void *record)
{
    const struct text *kind = member(fields, record, "kind");
    const int64_t *seq = member(fields, record, "seq");
    buf_auto json = BUF(ret->ceiling);

    fields_encode(fields, record, &json);
    ret->failed |= json.failed;
    sse_write(ret, *kind, *seq, buf_as_text(&json));
}

void sse_write_sync(struct buf *ret, int64_t last_seq, int64_t skipped, bool more)
{
    buf_auto json = BUF(128);

    buf_printf(
        &json, "{\"last_seq\":%" PRId64 ",\"skipped\":%" PRId64 ",\"more\":%s}", last_seq, skipped,
        more ? "true" : "false");
    sse_write(ret, TEXT("sync"), last_seq, buf_as_text(&json));
}
