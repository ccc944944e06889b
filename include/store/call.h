/* The SQL call of an operation, made from its field tables. */
#pragma once

#include "base/op.h"
#include "store/db.h"

struct call {
    const struct operation *operation;
    struct statement statement;
};

/* `select * from duet.<name>(p_<field> => $1, …)`, kept in the arena. */
void call_make(const struct operation *operation, struct arena *arena, struct call *ret);

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

/* The LIST of a reply; NULL: it has none. */
const struct field *call_list(const struct fields *out);

/* Prepares the call and holds the columns of its result against the operation's table: -1 with one
 * sentence in `why` when the database does not fit this program. */
int call_check(struct db *db, const struct call *call, char *why, size_t why_size);
