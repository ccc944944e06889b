/* What friends, friend groups and the blocklist have in common. */
#pragma once

#include "http/v4/call.h"
#include "http/v4/state.h"

#define SNS_NAMES_MAX 1000
#define SNS_PAGE 100
#define SNS_CUSTOM_PREFIX "Tag_SNS_Custom_"
#define SNS_ADD_SOURCE "im_add_source"
#define SNS_ADD_WORDING "im_add_wording"

#define SNS_FROM_MEMBER                                                                            \
    {                                                                                              \
        "From_Account", .kind = V4_TEXT, .required = true, .code = 30001                           \
    }
#define SNS_TO_MEMBER                                                                              \
    {                                                                                              \
        "To_Account", .kind = V4_TEXTS, .required = true, .code = 30001, .min = 1,                 \
                      .max = SNS_NAMES_MAX                                                         \
    }

/* One result a peer, and a reply that is a list of them. */
extern const struct v4_field sns_result_item[];
extern const struct v4_field sns_results_out[];
/* A field of a friend. */
extern const struct v4_field sns_tag_value[];

struct text sns_from(const struct v4_call *c);
/* Whom an item is about: its To_Account, or the item itself where it is a name. */
struct text sns_peer(const json_t *item);

/* Asks an operation on /users/{user}/…/{peer}, whose errors the item's own result tells. */
struct v4_ask sns_ask_peer(const struct v4_call *c, const json_t *item);
/* The same, for v4_for_each. */
void sns_ask_item(struct v4_call *c, const json_t *item, struct v4_ask *ret);
/* Asks friend_check or block_check about the peers of all items, each once. */
void sns_ask_about(
    struct v4_call *c, const struct operation *check, const json_t *items, v4_next *next);
/* What it replied, as an object with a member for each peer; the call owns it. */
json_t *sns_by_peer(struct v4_call *c);
/* An item's peer in it; NULL where it was not asked about. */
const json_t *sns_find(const json_t *by_peer, const json_t *item);
bool sns_is_unknown(const json_t *by_peer, const json_t *item);

/* The number of what the last step ended with, for one peer; 0 where it went well. */
int sns_number(const struct v4_call *c);
/* Appends an item's result. */
void sns_result(struct v4_call *c, const json_t *item, int number);
/* Appends that of the last step, for v4_for_each. */
void sns_take_result(struct v4_call *c, const json_t *item);

/* Changes when what it stands for changes; never 0, which asks for everything. */
int64_t sns_sequence(const json_t *json);

/* What c->state must begin with while groups are made. */
struct sns_naming {
    json_t *refused; /* takes the names that could not be made, with the number of why */
    v4_next *done;
};

/* Asks an operation on a group, whose name the item is; for v4_for_each. */
void sns_ask_group(struct v4_call *c, const json_t *item, struct v4_ask *ret);
/* Makes the groups that are not there yet. */
void sns_make_groups(struct v4_call *c, json_t *takes_names);
/* A name, or an array of them, as a new array; empty ones are none. */
json_t *sns_names(const json_t *value);
/* The names in an item's GroupName. */
json_t *sns_group_of(const json_t *item);
/* The names in all items, each once, as a new array; names_in returns one of its own. */
json_t *sns_all_names(const json_t *items, json_t *(*names_in)(const json_t *item));
/* A name or an array of them each, or NULL: each name of both once, as a new array. */
json_t *sns_joined(const json_t *names, const json_t *more);
/* Why the first of them that could not be made was refused; 0: all are there. */
int sns_names_number(const json_t *refused, json_t *takes_names);
