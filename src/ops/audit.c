/* Who did what on whose behalf: the rows that the operations with `.audit` leave. */
#include "base/op.h"
#include "ops/user.h"
#include "store/store.h"

#define NAME_BYTES 64 /* of operations, keys, addresses and codes */

struct audit_entry {
    int64_t at;
    struct text subject;
    struct text key_id;
    struct text address;
    struct text operation;
    struct text resource;
    struct text on_behalf_of;
    struct text request_id;
    struct text outcome;
};

static const struct field audit_entry_list[] = {
    FIELD_TIME(struct audit_entry, at),
    FIELD_TEXT(struct audit_entry, subject),
    FIELD_TEXT(struct audit_entry, key_id),
    FIELD_TEXT(struct audit_entry, address),
    FIELD_TEXT(struct audit_entry, operation),
    FIELD_TEXT(struct audit_entry, resource),
    FIELD_TEXT(struct audit_entry, on_behalf_of),
    FIELD_TEXT(struct audit_entry, request_id),
    /* The column `outcome` is that of the call. */
    FIELD_TEXT(struct audit_entry, outcome, .column = "entry_outcome"),
    FIELD_END,
};

static const struct fields audit_entry_fields = FIELDS(audit_entry_list, struct audit_entry);

/* ---- audit_list ---- */

struct audit_list {
    struct text subject;
    struct text key_id;
    struct text address;
    struct text operation;
    struct text resource;
    struct text on_behalf_of;
    struct text request_id;
    struct text outcome;
    int64_t since;
    int64_t until;
    struct text cursor;
    int64_t limit;
};

#define FILTER(member, bytes)                                                                      \
    FIELD_TEXT(struct audit_list, member, .from = IN_QUERY, .min = 1, .max = (bytes))

static const struct field audit_list_fields[] = {
    FILTER(subject, USER_ID_BYTES),
    FILTER(key_id, NAME_BYTES),
    FILTER(address, NAME_BYTES),
    FILTER(operation, NAME_BYTES),
    FILTER(resource, 2048),
    FILTER(on_behalf_of, USER_ID_BYTES),
    FILTER(request_id, NAME_BYTES),
    FILTER(outcome, NAME_BYTES),
    FIELD_TIME(struct audit_list, since, .from = IN_QUERY),
    FIELD_TIME(struct audit_list, until, .from = IN_QUERY),
    FIELD_CURSOR(struct audit_list),
    FIELD_LIMIT(struct audit_list),
    FIELD_END,
};

struct audit_page {
    struct list items;
    struct text next_cursor;
};

static const struct field audit_page_fields[] = {
    FIELD_LIST(struct audit_page, items, .of = &audit_entry_fields),
    FIELD_NEXT_CURSOR(struct audit_page),
    FIELD_END,
};

const struct operation audit_list = {
    .name = "audit_list",
    .lane = LANE_READER,
    .run = store_call_rows,
    .in = FIELDS(audit_list_fields, struct audit_list),
    .out = FIELDS(audit_page_fields, struct audit_page),
    .refuses = (const enum err_code[]){ERR_CURSOR_INVALID, ERR_NONE},
};
