/* A bounded cache from user id to the user's number. A number that is wrong because the user was
 * deleted is found out by the call that uses it: that user has no mailbox any more. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define USER_ID_BYTES 64

struct users;

struct users *users_new(size_t entries);
void users_free(struct users *users);

/* 0 when the cache does not know. */
int64_t users_find(struct users *users, struct text user_id);
void users_put(struct users *users, struct text user_id, int64_t number);
void users_forget(struct users *users, struct text user_id);
