#include "http/v4/message_key.h"

#include <inttypes.h>
#include <stdint.h>

static bool is_digits(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] < '0' || t.ptr[i] > '9')
            return false;
    return t.len > 0 && t.len <= 10;
}

static bool take_number(struct text *rest, int64_t *ret)
{
    struct text digits = text_cut(rest, '_');

    return is_digits(digits) && text_to_i64(digits, ret);
}

bool message_key_parse(struct text t, struct message_key *ret)
{
    struct text rest = t;

    return text_present(t) && take_number(&rest, &ret->seq) && text_present(rest) &&
           take_number(&rest, &ret->random) && text_present(rest) &&
           take_number(&rest, &ret->time_s) && !text_present(rest);
}

struct text message_key_text(const struct message_key *key, struct arena *arena)
{
    return text_of(arena_printf(
        arena, "%" PRId64 "_%" PRId64 "_%" PRId64, key->seq, key->random, key->time_s));
}
