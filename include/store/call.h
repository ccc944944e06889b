/* The SQL call of an operation, made from its field tables. */
#pragma once

#include "base/op.h"
#include "store/db.h"
#include "store/params.h"

struct call {
    const struct operation *operation;
    struct statement statement;
};

/* `select * from duet.<name>(p_<field> => $1, …)`, kept in the arena. */
void call_make(const struct operation *operation, struct arena *arena, struct call *ret);

/* What duet.caller_is_good is told: user, time of issue, device. */
void call_bind_caller(const struct op *op, struct params *params);

/* What the call is told: the caller, the fields of the input, and what the audit wants to know. */
void call_bind(const struct op *op, struct params *params);

/* `?validate_only=true`: the call is to be made, and what it has done undone. */
bool call_is_rehearsal(const struct op *op);

/* Prepares the statement as the unnamed one: -1 with one sentence in `why` when the database
 * cannot. */
int statement_check(struct db *db, const struct statement *statement, char *why, size_t why_size);

/* The same, and holds the columns of its rows against the table. */
int statement_check_rows(
    struct db *db,
    const struct statement *statement,
    const struct fields *fields,
    char *why,
    size_t why_size);

/* Prepares the call and holds the columns of its result against the operation's table: -1 with one
 * sentence in `why` when the database does not fit this program. */
int call_check(struct db *db, const struct call *call, char *why, size_t why_size);

/* The field of a table that has this name; the one that is a LIST. NULL: none. */
const struct field *field_named(const struct fields *fields, const char *name);
const struct field *field_list(const struct fields *fields);
