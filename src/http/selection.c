#include "http/selection.h"

/* ---- codings ---- */

bool accepts(struct text list, struct text wanted)
{
    while (text_present(list)) {
        struct text weight = text_cut(&list, ',');
        struct text one = text_trim(text_cut(&weight, ';'));
        if (!text_equal_nocase(one, wanted))
            continue;
        weight = text_trim(text_present(weight) ? weight : TEXT(""));
        bool refused = weight.len >= 3 && strspn(weight.ptr + 2, "0.") >= weight.len - 2;
        return !refused;
    }
    return false;
}

/* ---- conditions ---- */

static struct text without_weakness(struct text etag)
{
    return text_starts_with(etag, TEXT("W/")) ? (struct text){etag.ptr + 2, etag.len - 2} : etag;
}

bool matches_etag(struct text if_none_match, struct text etag)
{
    while (text_present(if_none_match)) {
        struct text one = text_trim(text_cut(&if_none_match, ','));
        if (text_equal(one, TEXT("*")) || text_equal(without_weakness(one), without_weakness(etag)))
            return true;
    }
    return false;
}

/* ---- ranges ---- */

enum range { RANGE_NONE, RANGE_PART, RANGE_OUTSIDE };

/* Digits, and nothing else; what is too large for a number is larger than any file. */
static bool take_position(struct text t, int64_t *ret)
{
    if (t.len == 0)
        return false;
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] < '0' || t.ptr[i] > '9')
            return false;
    if (!text_to_i64(t, ret))
        *ret = INT64_MAX;
    return true;
}

/* "-500": so many at the end. */
static enum range take_suffix(struct text suffix, int64_t size, struct selection *ret)
{
    int64_t n;

    if (!take_position(suffix, &n))
        return RANGE_NONE;
    if (n == 0)
        return RANGE_OUTSIDE;
    ret->position = n < size ? size - n : 0;
    return RANGE_PART;
}

/* "bytes=0-499", "bytes=500-", "bytes=-500" */
static enum range take_range(struct text range, int64_t size, struct selection *ret)
{
    struct text unit = text_cut(&range, '=');
    int64_t first, last = INT64_MAX;

    if (!text_equal_nocase(unit, TEXT("bytes")) || !text_present(range))
        return RANGE_NONE;
    struct text from = text_trim(text_cut(&range, '-'));
    struct text to = text_present(range) ? text_trim(range) : TEXT_ABSENT;
    if (!text_present(to))
        return RANGE_NONE;
    if (from.len == 0)
        return take_suffix(to, size, ret);
    if (!take_position(from, &first) || (to.len && !take_position(to, &last)) || last < first)
        return RANGE_NONE;
    if (first >= size)
        return RANGE_OUTSIDE;
    ret->position = first;
    ret->end = last < size - 1 ? last + 1 : size;
    return RANGE_PART;
}

/* By the strong comparison. A date is none of our tags. */
static bool is_same_file(struct text if_range, struct text etag)
{
    return !text_present(if_range) || text_equal(if_range, etag);
}

/* ---- the selection ---- */

struct selection selection_make(const struct selecting *request, const struct file *file)
{
    enum coding coding =
        accepts(request->accept_encoding, TEXT("gzip")) ? CODING_GZIP : CODING_IDENTITY;
    const struct representation *as = &file->as[coding];
    struct selection s = {.status = 200, .coding = coding, .end = as->size};

    if (matches_etag(request->if_none_match, as->etag)) {
        s.status = 304;
        return s;
    }
    if (!request->is_get || !is_same_file(request->if_range, as->etag))
        return s;
    enum range range = take_range(request->range, as->size, &s);
    if (range != RANGE_NONE)
        s.status = range == RANGE_PART ? 206 : 416;
    return s;
}
