/* The route table: the one list of what the server does (src/http/routes.def). */
#pragma once

#include <stddef.h>

#include "base/op.h"

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHODS };

/* What a user token may do with a route: nothing, act where the named field is the user itself, or
 * what the SQL function allows the user p_as_user. */
enum own { OWN_NONE, OWN_PATH_USER, OWN_BODY_FROM, OWN_AS_USER };

struct route {
    enum method method;
    const char *path; /* "/v1/users/{user}": a segment is literal or one parameter */
    const struct operation *operation;
    enum scope scope;
    enum own own;
    int success; /* 201 becomes 200 when nothing new was made */
};

extern const struct route routes[];
extern const size_t n_routes;

const char *method_text(enum method method);

/* The table and the errors, as `duetd routes` prints them. A new reference. */
json_t *routes_describe(void);
