/* Tags of profiles, which relations show as well. */
#pragma once

#include "http/v4/call.h"

bool v4_is_profile_tag(struct text name);
/* The tag's value of a user as /v1 shows one, a new reference; NULL where it was never set. */
json_t *v4_profile_value(struct text name, const json_t *user);
/* Appends {Tag, Value}; nothing for a NULL value. */
void v4_add_tag(json_t *items, const json_t *tag, json_t *takes);
