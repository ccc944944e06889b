/* What the server is told by its environment; the table is settings.def. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"

struct settings {
#define SETTING_TEXT(member, variable, fallback, help) const char *member;
#define SETTING_SECRET(member, variable, fallback, help) const char *member;
#define SETTING_NUMBER(member, variable, fallback, min, max, help) int64_t member;
#include "base/settings.def"
#undef SETTING_TEXT
#undef SETTING_SECRET
#undef SETTING_NUMBER
    enum log_level level; /* from log_level */
};

/* Reads DUET_… of `environment` (as environ is), each also from the file that DUET_…_FILE names.
 * -1 with one sentence in `why` on a variable that is not known, set twice, or out of its range;
 * then it has its default, and the others are read. */
int settings_read(
    char *const *environment,
    struct arena *arena,
    struct settings *ret,
    char *why,
    size_t why_size);

/* One line a setting: name, value, default, meaning; secrets are hidden. */
void settings_print(const struct settings *settings, struct buf *ret);
