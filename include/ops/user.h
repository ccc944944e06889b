/* Users and their profiles. */
#pragma once

#include "base/fields.h"
#include "store/users.h"

#define TAG_BYTES 64
#define DEVICE_ID_BYTES 64

/* What stands beside a message of the user: as it is when the message is read. */
struct profile {
    struct text nick;
    struct text avatar_url;
};

extern const struct fields profile_fields;

/* The same of a sender, who may have been deleted since: then nick and avatar are empty. */
struct sender_profile {
    struct text nick;
    struct text avatar_url;
    bool deleted;
};

extern const struct fields sender_profile_fields;

struct op;

/* Something new gets this name, by the body at `pointer`: 0, or ERR_INVALID_REQUEST in *err where
 * no path could name it, so that nobody could read or remove it. Whoever asks through /v4 has names
 * in bodies alone, and may give any. */
int check_new_name(const struct op *op, struct text name, const char *pointer, struct err *err);

/* Members that many operations have: users of the path, and what pages of a list go by. */
#define FIELD_USER(type)                                                                           \
    FIELD_TEXT(type, user, .from = IN_PATH, .required = true, .min = 1, .max = USER_ID_BYTES)
#define FIELD_PEER(type)                                                                           \
    FIELD_TEXT(type, peer, .from = IN_PATH, .required = true, .min = 1, .max = USER_ID_BYTES)
/* What device_session asks of whoever acts as a device. */
#define FIELDS_OF_SESSION(type)                                                                    \
    FIELD_TEXT(type, as_user, .from = IN_CALLER), FIELD_TEXT(type, as_device, .from = IN_CALLER),  \
        FIELD_TIME(type, issued_at, .from = IN_CALLER)
#define FIELD_CURSOR(type)                                                                         \
    FIELD_TEXT(type, cursor, .from = IN_QUERY, .min = 1, .max = 128, .visible_ascii = true)
#define FIELD_LIMIT(type)                                                                          \
    FIELD_INT(                                                                                     \
        type, limit, .from = IN_QUERY, .min = 1, .max = 200, .fallback = 50, .has_fallback = true)
#define FIELD_NEXT_CURSOR(type) FIELD_TEXT(type, next_cursor, .not_column = true)
