/* What /v4 keeps between requests: its settings, whose signatures were found good of late, and what
 * is known of files. */
#pragma once

#include "http/v4/call.h"
#include "http/v4/history_file.h"
#include "http/v4/v4.h"

/* What /v1 has no member for is kept among an account's or a friend's own fields, under names that
 * begin so; no field that a client names does. */
#define V4_OWN_PREFIX "im_"

/* NULL when there is none. */
const struct v4_command *v4_find_command(struct text service, struct text name);

/* Whether the database was asked within the last second about a signature as old as this one. */
bool v4_is_vouched(struct v4 *v4, const struct caller *caller);
void v4_vouch(struct v4 *v4, const struct caller *caller);
/* Somebody's signatures were made void. */
void v4_forget(struct v4 *v4, struct text identifier);

/* What signatures of this app are made with. */
struct text v4_key(const struct v4 *v4);

/* What was found out of the file that is made of an archive, which is named by its SHA-256. */
bool v4_known_file(struct v4 *v4, struct text archive, struct history_facts *ret);
void v4_keep_file(struct v4 *v4, struct text archive, const struct history_facts *facts);

extern const struct operation
#define ROUTE(method, path, name, scope, own, success) name,
#include "../../../src/http/routes.def"
#undef ROUTE
    v4_call;
