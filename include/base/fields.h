/* Field tables: one description of a record that serves the request, the SQL call, the row and the
 * reply, so that a member has one name everywhere.
 *
 *     static const struct field user_fields[] = {
 *         FIELD_TEXT(struct user, id, .required = true, .max = USER_ID_BYTES),
 *         FIELD_INT(struct user, level, .max = 100),
 *         FIELD_END,
 *     };
 *
 * The macros compare the member's type with the kind: a wrong kind does not compile. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/message_id.h"
#include "base/text.h"

enum field_kind {
    FIELD_KIND_END = 0,
    FIELD_KIND_TEXT, /* struct text: JSON string */
    FIELD_KIND_BOOL, /* bool */
    FIELD_KIND_INT,  /* int64_t; FIELD_ABSENT where there is none */
    FIELD_KIND_REAL, /* double */
    FIELD_KIND_TIME, /* int64_t, microseconds since 1970: RFC 3339 in JSON, timestamptz in SQL */
    FIELD_KIND_MESSAGE_ID, /* struct message_id: opaque text in JSON, <name>_receiver … in SQL */
    FIELD_KIND_MAP,        /* json_t *: object whose values are strings; jsonb in SQL */
    FIELD_KIND_JSON,       /* json_t *: any object or array; text in SQL */
    FIELD_KIND_VARIANTS,   /* json_t *: array of objects whose `type` names their table; text in SQL
                            */
    FIELD_KIND_RAW, /* struct text: in rows and replies alone, JSON that was checked when it came in
                     * and is written as it stands; text or jsonb in SQL */
    FIELD_KIND_OBJECT, /* an embedded struct; its columns are prefixed with <name>_ */
    FIELD_KIND_LIST,  /* struct list: array of structs; in requests json in SQL, in replies the rows
                       * of a result */
    FIELD_KIND_TEXTS, /* struct list of struct text: array of strings; text[] in SQL */
};

enum field_place {
    IN_BODY = 0,
    IN_PATH,
    IN_QUERY,
    IN_HEADER, /* also in a reply: TEXT alone, which is no column */
    IN_CALLER, /* what the token says, by name: as_user: whose it is, absent for a back-end token;
                * as_device: the one device that it was made for; issued_at, of a user token;
                * sent_by: the subject of any */
    IN_STREAM, /* where the piece of a streamed reply before this one ended; absent in the first */
    IN_CHECK, /* nowhere: absent until the operation fills it; in a reply a column that is not shown
               */
    IN_INNER, /* the body, where the server itself asks (field_source.inner); clients may not */
};

/* An INT or TIME that is not there. */
#define FIELD_ABSENT INT64_MIN

/* A member of a list whose members go one by one, that is wrong by itself. */
struct left_out {
    size_t place; /* its index in the request */
    struct err err;
    struct left_out *next;
};

struct list {
    void *items;
    size_t n_items;
    /* Of one whose members go one by one: the place of each in the request, and what is not here.
     */
    size_t *places;
    struct left_out *left_out;
    size_t n_left_out;
};

struct field {
    const char *name; /* in JSON, in the query, in SQL */
    enum field_kind kind;
    size_t offset;
    enum field_place from;
    const char *header; /* IN_HEADER: the header's name */
    bool required;
    bool not_column;    /* the SQL call or row does not know it */
    const char *column; /* in rows, where it is not `name` */
    bool omit_absent; /* in replies: left out when absent, instead of null; an OBJECT is absent when
                       * its first field is */
    int64_t min;      /* TEXT: bytes; INT: value; LIST, TEXTS, VARIANTS, MAP: members */
    int64_t max;      /* the same; 0 for those but INT means FIELD_TEXT_BYTES */
    double min_real, max_real; /* REAL; both 0: any */
    int64_t fallback;          /* BOOL and INT in requests: value when absent */
    bool has_fallback;
    const char *const *one_of; /* TEXT: the values allowed, NULL at the end */
    const char *fallback_text; /* TEXT in requests: value when absent */
    bool visible_ascii;        /* TEXT: 0x21 to 0x7E only */
    bool multiline;            /* TEXT: control characters are allowed but NUL */
    bool spread; /* RAW: the members of this object stand beside the others, without its name */
    const struct fields *of;        /* OBJECT, LIST */
    const struct variant *variants; /* VARIANTS; a row without a name ends it */
    int64_t max_value_bytes;        /* MAP, TEXTS: bytes of each value */
    bool one_by_one; /* LIST, TEXTS in requests: a member that is wrong is left out, and its result
                      * tells why; where all are, the request is wrong */
    /* LIST that is one_by_one: rules that no table says; 0, or -1 with *err filled. Fields that are
     * wrong already are absent. `pointer` is the item's. */
    int (*check_item)(struct err *err, const char *pointer, const void *item);
    bool null_values; /* MAP: a value may be null; in a merge patch it ends the name */
};

#define FIELD_TEXT_BYTES 65536
#define FIELD_MAP_NAME_BYTES 64

struct fields {
    const struct field *list;
    size_t size; /* of the struct */
};

/* `{"type": "text", …}` is held against the table of the variant "text"; nothing is stored. */
struct variant {
    const char *type;
    struct fields fields;
};

#define FIELDS(table, type)                                                                        \
    {                                                                                              \
        .list = (table), .size = sizeof(type)                                                      \
    }

#define FIELD_(type, member, c_type, field_kind, ...)                                              \
    {                                                                                              \
        .name = #member, .kind = (field_kind),                                                     \
        .offset =                                                                                  \
            offsetof(type, member) + 0 * sizeof(char[_Generic(((type *)0)->member, c_type : 1)]),  \
        __VA_ARGS__                                                                                \
    }

#define FIELD_TEXT(type, member, ...)                                                              \
    FIELD_(type, member, struct text, FIELD_KIND_TEXT, __VA_ARGS__)
#define FIELD_BOOL(type, member, ...) FIELD_(type, member, bool, FIELD_KIND_BOOL, __VA_ARGS__)
#define FIELD_INT(type, member, ...) FIELD_(type, member, int64_t, FIELD_KIND_INT, __VA_ARGS__)
#define FIELD_REAL(type, member, ...) FIELD_(type, member, double, FIELD_KIND_REAL, __VA_ARGS__)
#define FIELD_TIME(type, member, ...) FIELD_(type, member, int64_t, FIELD_KIND_TIME, __VA_ARGS__)
#define FIELD_MESSAGE_ID(type, member, ...)                                                        \
    FIELD_(type, member, struct message_id, FIELD_KIND_MESSAGE_ID, __VA_ARGS__)
#define FIELD_MAP(type, member, ...) FIELD_(type, member, json_t *, FIELD_KIND_MAP, __VA_ARGS__)
#define FIELD_JSON(type, member, ...) FIELD_(type, member, json_t *, FIELD_KIND_JSON, __VA_ARGS__)
#define FIELD_VARIANTS(type, member, ...)                                                          \
    FIELD_(type, member, json_t *, FIELD_KIND_VARIANTS, __VA_ARGS__)
#define FIELD_RAW(type, member, ...) FIELD_(type, member, struct text, FIELD_KIND_RAW, __VA_ARGS__)
#define FIELD_OBJECT(type, member, c_type, ...)                                                    \
    FIELD_(type, member, c_type, FIELD_KIND_OBJECT, __VA_ARGS__)
#define FIELD_LIST(type, member, ...)                                                              \
    FIELD_(type, member, struct list, FIELD_KIND_LIST, __VA_ARGS__)
#define FIELD_TEXTS(type, member, ...)                                                             \
    FIELD_(type, member, struct list, FIELD_KIND_TEXTS, __VA_ARGS__)
#define FIELD_END                                                                                  \
    {                                                                                              \
        .kind = FIELD_KIND_END                                                                     \
    }

/* Checked only, as the fields of a variant are: no struct stands behind it. */
#define FIELD_CHECKED(member, field_kind, ...)                                                     \
    {                                                                                              \
        .name = (member), .kind = (field_kind), __VA_ARGS__                                        \
    }

/* A name and a value of a request's path or query, percent-decoded. */
struct param {
    struct text name;
    struct text value;
};

/* Where a request's fields come from. */
struct field_source {
    const struct param *path;
    size_t n_path;
    const struct param *query;
    size_t n_query;
    struct text (*header)(void *context, const char *name); /* absent when there is none */
    struct text as_user;                                    /* of a user token, else absent */
    struct text as_device;                                  /* of a user token made for one */
    struct text issued_at;                                  /* of a user token, as a time */
    struct text sent_by;                                    /* subject of the token */
    void *context;
    json_t *body; /* borrowed, an object; NULL when the request has none */
    bool inner;   /* the server asks on a client's behalf: what is IN_INNER may be said */
};

/* Fills *ret (of fields->size bytes, zeroed). Checks presence, kind, range and UTF-8, refuses names
 * that the table does not hold, and reports every wrong field, not only the first. A value that is
 * wrong is absent from *ret; of lists, maps and other JSON what is in them may be wrong. Text and
 * JSON in *ret borrow from the source. */
int fields_decode(
    const struct fields *fields,
    const struct field_source *source,
    struct arena *arena,
    void *ret,
    struct err *err);

/* Takes member i, of `size` bytes, out of a list whose members go one by one. */
void list_leave_out(struct list *list, size_t i, size_t size, const struct err *err);
/* -1 with what is wrong with each where no member is left. */
int list_must_hold(const struct list *list, struct err *err);
/* Names what is wrong with each member that was left out of a list of the record, where the request
 * is refused as a whole. */
void fields_name_left_out(const struct fields *fields, const void *record, struct err *err);
/* The place of member i in the request. */
size_t list_place(const struct list *list, size_t i);

/* Writes the record as a JSON object. Texts in it are UTF-8. */
void fields_encode(const struct fields *fields, const void *record, struct buf *ret);

/* The table itself, as `duetd routes` shows it. A new reference. */
json_t *fields_describe(const struct fields *fields, bool as_request);

/* Parses an object: at most FIELDS_JSON_DEPTH levels and about FIELDS_JSON_VALUES values, no
 * duplicate names, no NUL, no bytes behind it. */
#define FIELDS_JSON_DEPTH 32
#define FIELDS_JSON_VALUES 65536 /* a value takes some 80 bytes in memory, and two in the body */
int fields_parse_json(struct text body, json_t **ret, struct err *err);
