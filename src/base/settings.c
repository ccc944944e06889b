#include "base/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX 65536

enum kind { KIND_TEXT, KIND_SECRET, KIND_NUMBER };

static const struct setting {
    enum kind kind;
    const char *variable;
    size_t offset;
    const char *fallback;
    int64_t fallback_number, min, max;
    const char *help;
} table[] = {
#define SETTING_TEXT(member, variable, fallback, help)                                             \
    {KIND_TEXT, variable, offsetof(struct settings, member), fallback, 0, 0, 0, help},
#define SETTING_SECRET(member, variable, fallback, help)                                           \
    {KIND_SECRET, variable, offsetof(struct settings, member), fallback, 0, 0, 0, help},
#define SETTING_NUMBER(member, variable, fallback, min, max, help)                                 \
    {KIND_NUMBER, variable, offsetof(struct settings, member), NULL, fallback, min, max, help},
#include "base/settings.def"
#undef SETTING_TEXT
#undef SETTING_SECRET
#undef SETTING_NUMBER
};
#define N_SETTINGS (sizeof(table) / sizeof(table[0]))

/* Where the server is and with which token, for the commands in docs/: a shell that has them for
 * its clients starts servers as well. */
static const char *const of_clients[] = {"DUET_URL", "DUET_TOKEN_FILE"};

struct reading {
    struct arena *arena;
    struct settings *settings;
    bool seen[N_SETTINGS];
    char *why;
    size_t why_size;
};

#define REFUSE(r, ...) (snprintf((r)->why, (r)->why_size, __VA_ARGS__), -1)

static const char **text_slot(const struct setting *s, struct settings *settings)
{
    return (const char **)(void *)((char *)settings + s->offset);
}

static int64_t *number_slot(const struct setting *s, struct settings *settings)
{
    return (int64_t *)(void *)((char *)settings + s->offset);
}

static void set_defaults(struct settings *settings)
{
    for (size_t i = 0; i < N_SETTINGS; i++) {
        if (table[i].kind == KIND_NUMBER)
            *number_slot(&table[i], settings) = table[i].fallback_number;
        else
            *text_slot(&table[i], settings) = table[i].fallback;
    }
}

/* The file's text without the line end that editors add. */
static int read_file(struct reading *r, const char *variable, const char *path, struct text *ret)
{
    char content[FILE_BYTES_MAX + 1];
    FILE *file = fopen(path, "re");

    if (!file)
        return REFUSE(r, "%s names the file %s, which cannot be read: %m.", variable, path);
    size_t n = fread(content, 1, sizeof(content), file);
    fclose(file);
    if (n > FILE_BYTES_MAX)
        return REFUSE(r, "%s names the file %s, which is too large.", variable, path);
    while (n && (content[n - 1] == '\n' || content[n - 1] == '\r'))
        n--;
    if (memchr(content, '\0', n))
        return REFUSE(r, "%s names the file %s, which is not text.", variable, path);
    *ret = arena_text(r->arena, (struct text){content, n});
    return 0;
}

static int set_value(struct reading *r, const struct setting *s, struct text value)
{
    int64_t number;

    if (s->kind != KIND_NUMBER) {
        *text_slot(s, r->settings) = arena_text(r->arena, value).ptr;
        return 0;
    }
    if (!text_to_i64(value, &number) || number < s->min || number > s->max)
        return REFUSE(
            r, "%s must be a whole number from %lld to %lld.", s->variable, (long long)s->min,
            (long long)s->max);
    *number_slot(s, r->settings) = number;
    return 0;
}

static const struct setting *find(struct text name, bool *ret_is_file)
{
    for (size_t i = 0; i < N_SETTINGS; i++) {
        struct text variable = text_of(table[i].variable);
        if (!text_starts_with(name, variable))
            continue;
        struct text rest = {name.ptr + variable.len, name.len - variable.len};
        *ret_is_file = text_equal(rest, TEXT("_FILE"));
        if (rest.len == 0 || *ret_is_file)
            return &table[i];
    }
    return NULL;
}

static bool is_of_clients(struct text name)
{
    for (size_t i = 0; i < sizeof(of_clients) / sizeof(of_clients[0]); i++)
        if (text_equal(name, text_of(of_clients[i])))
            return true;
    return false;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

#define NAME_BYTES 64

/* How many characters are to be put in, left out or changed to make one of the other; what is too
 * long for a setting is far from all. */
static size_t distance(struct text a, struct text b)
{
    size_t row[NAME_BYTES + 1];

    if (a.len > NAME_BYTES || b.len > NAME_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0]++;
        for (size_t j = 0; j < b.len; j++) {
            size_t changed = diagonal + (a.ptr[i] == b.ptr[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = smaller(changed, smaller(diagonal, row[j]) + 1);
        }
    }
    return row[b.len];
}

/* Further away it is hardly what was meant. */
#define TYPING_ERRORS_MAX 3

static const char *nearest(struct text name)
{
    const char *best = NULL;
    size_t least = TYPING_ERRORS_MAX + 1;

    for (size_t i = 0; i < N_SETTINGS; i++) {
        size_t d = distance(name, text_of(table[i].variable));
        if (d < least) {
            least = d;
            best = table[i].variable;
        }
    }
    return best;
}

static int refuse_unknown(struct reading *r, struct text name)
{
    const char *near = nearest(name);

    return REFUSE(
        r, "%.*s is no setting of this version%s%s%s; `duetd serve --print-settings` lists all.",
        TEXT_ARG(name), near ? ", but " : "", near ? near : "", near ? " is" : "");
}

static int read_variable(struct reading *r, struct text line)
{
    struct text name = text_cut(&line, '=');
    const char *variable = arena_text(r->arena, name).ptr;
    bool is_file;

    const struct setting *s = find(name, &is_file);
    if (!s)
        return is_of_clients(name) ? 0 : refuse_unknown(r, name);
    if (r->seen[s - table])
        return REFUSE(r, "%s is given twice, as a value and as a file.", s->variable);
    r->seen[s - table] = true;
    if (is_file && read_file(r, variable, line.ptr, &line) != 0)
        return -1;
    return set_value(r, s, line);
}

static int read_log_level(struct reading *r)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], r->settings->log_level) != 0)
            continue;
        r->settings->level = (enum log_level)i;
        return 0;
    }
    return REFUSE(r, "DUET_LOG_LEVEL must be error, warn, info or debug.");
}

int settings_read(
    char *const *environment, struct arena *arena, struct settings *ret, char *why, size_t why_size)
{
    struct reading r = {.arena = arena, .settings = ret, .why = why, .why_size = why_size};
    int result = 0;

    set_defaults(ret);
    for (; *environment; environment++)
        if (strncmp(*environment, "DUET_", 5) == 0 &&
            read_variable(&r, text_of(*environment)) != 0) {
            result = -1;
            r.why_size = 0; /* the first sentence stays */
        }
    if (ret->migrate_database_url[0] == '\0')
        ret->migrate_database_url = ret->database_url;
    return read_log_level(&r) == 0 ? result : -1;
}

void settings_print(const struct settings *settings, struct buf *ret)
{
    for (size_t i = 0; i < N_SETTINGS; i++) {
        const struct setting *s = &table[i];
        const char *base = (const char *)settings + s->offset;
        if (s->kind == KIND_NUMBER) {
            buf_printf(
                ret, "%s=%lld", s->variable, (long long)*(const int64_t *)(const void *)base);
            buf_printf(ret, "  # default %lld", (long long)s->fallback_number);
        } else {
            const char *value = *(const char *const *)(const void *)base;
            bool hide = s->kind == KIND_SECRET && value[0];
            buf_printf(ret, "%s=%s", s->variable, hide ? "(hidden)" : value);
            buf_printf(ret, "  # default %s", s->fallback[0] ? s->fallback : "empty");
        }
        buf_printf(ret, "; %s\n", s->help);
    }
}
