/* Message elements between the two faces, and what else messages carry.
 *
 * What the other face has no member for is kept beside the rest, in the element's `original`, so
 * that it is given back exactly as it came. */
#pragma once

#include "http/v4/call.h"

/* A MsgBody as elements of /v1, a new reference; NULL when it failed, with the number told. */
json_t *v4_elements_in(struct v4_call *c, const json_t *msg_body);
/* What a message that is too long is answered with. */
int v4_long_number(const struct v4_call *c);
/* The reverse; never fails. */
json_t *v4_elements_out(const json_t *elements);

/* OfflinePushInfo as `push` of /v1, a new reference; NULL when there is none. */
json_t *v4_push_in(const json_t *offline_push_info);
