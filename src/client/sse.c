#include "client/sse.h"

void sse_init(struct sse *sse)
{
    *sse = (struct sse){
        .line = BUF(SSE_EVENT_BYTES),
        .data = BUF(SSE_EVENT_BYTES),
        .name = BUF(SSE_EVENT_BYTES),
    };
}

void sse_done(struct sse *sse)
{
    buf_done(&sse->line);
    buf_done(&sse->data);
    buf_done(&sse->name);
}

static size_t until_line_end(struct text t)
{
    size_t n = 0;

    while (n < t.len && t.ptr[n] != '\n' && t.ptr[n] != '\r')
        n++;
    return n;
}

/* True when sse->line is whole; its end is taken, too. */
static bool take_line(struct sse *sse, struct text *rest)
{
    if (sse->after_cr && rest->len) {
        sse->after_cr = false;
        if (rest->ptr[0] == '\n') {
            rest->ptr++;
            rest->len--;
        }
    }
    size_t n = until_line_end(*rest);
    buf_add(&sse->line, rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;
    if (rest->len == 0)
        return false;
    sse->after_cr = rest->ptr[0] == '\r';
    rest->ptr++;
    rest->len--;
    return true;
}

static void take_field(struct sse *sse, struct text value)
{
    struct text field = text_cut(&value, ':');

    if (value.len && value.ptr[0] == ' ') {
        value.ptr++;
        value.len--;
    }
    if (text_equal(field, TEXT("data"))) {
        if (sse->has_data)
            buf_char(&sse->data, '\n');
        buf_text(&sse->data, value);
        sse->has_data = true;
    } else if (text_equal(field, TEXT("event"))) {
        buf_clear(&sse->name);
        buf_text(&sse->name, value);
    }
}

/* The event that a blank line ends; without data there is none. */
static bool finish(struct sse *sse, struct sse_event *ret)
{
    bool whole = sse->has_data;

    *ret = (struct sse_event){
        .name = sse->name.len ? buf_as_text(&sse->name) : TEXT("message"),
        .data = buf_as_text(&sse->data),
    };
    /* The bytes stay where they are until the next ones come. */
    sse->name.len = 0;
    sse->data.len = 0;
    sse->has_data = false;
    return whole;
}

static struct text without_mark(struct sse *sse, struct text line)
{
    if (!sse->begun && text_starts_with(line, TEXT("\xEF\xBB\xBF"))) {
        line.ptr += 3;
        line.len -= 3;
    }
    sse->begun = true;
    return line;
}

bool sse_next(struct sse *sse, struct text *rest, struct sse_event *ret)
{
    while (!sse_failed(sse) && take_line(sse, rest) && !sse_failed(sse)) {
        struct text line = without_mark(sse, buf_as_text(&sse->line));
        sse->line.len = 0;
        if (line.len)
            take_field(sse, line);
        else if (finish(sse, ret))
            return true;
    }
    return false;
}
