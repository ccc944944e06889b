/* Users and their profiles. */
#pragma once

#include "base/fields.h"
#include "store/users.h"

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
