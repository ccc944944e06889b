/* From the target of a request line to a row of the route table.
 *
 * The target is taken as it came over the wire, still percent-encoded: it is cut into segments
 * first and each segment is decoded once, so that no encoded byte can move a border. What is left
 * then is what an operation sees; there is no second decoding anywhere. */
#pragma once

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fields.h"
#include "base/text.h"
#include "http/route.h"

#define ROUTER_TARGET_BYTES 2048
#define ROUTER_QUERY_PARAMS 32
#define ROUTER_ALLOW_BYTES 64

struct match {
    const struct route *route; /* NULL when no row fits path and method */
    struct param *path;        /* in the order of the path; names as the table spells them */
    size_t n_path;
    struct param *query; /* in the order of the request */
    size_t n_query;
    char allow[ROUTER_ALLOW_BYTES]; /* "GET, PUT, HEAD": where only the method does not fit */
};

/* -1 with ERR_ROUTE_UNKNOWN, ERR_METHOD_NOT_ALLOWED (ret->allow is set), ERR_URI_TOO_LONG,
 * ERR_MALFORMED_REQUEST or, for a query name that stands twice, ERR_INVALID_REQUEST.
 *
 * HEAD is matched as GET. A segment that is spelled out goes before a parameter, wherever the two
 * rows stand; among the rows of the method, so that a user may be called what a row spells out.
 * Texts in *ret borrow from `target` and the table or lie in the arena; values may be any bytes but
 * NUL, names of the query are UTF-8. *ret is written in any case: a wrong query leaves ret->route
 * set, for the log. */
int router_match(
    const struct route *table,
    size_t n,
    const char *method,
    struct text target,
    struct arena *arena,
    struct match *ret,
    struct err *err);
