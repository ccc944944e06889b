/* recentcontact: the list of conversations, and what it is sorted and marked by. */
#include "base/clock.h"
#include "http/v4/state.h"

#define GROUP_BYTES 32
#define MARKS 64
#define WITH_PINNED 1 /* AssistFlags */
#define WITH_EMPTY 2  /* conversations without messages */
#define WITH_MARKS 56 /* any of the newer bits: marks and groups too */

enum { ONE_TO_ONE = 1 };

#define FROM_MEMBER(number)                                                                        \
    {                                                                                              \
        "From_Account", .kind = V4_TEXT, .required = true, .code = (number)                        \
    }

/* ---- conversations out ---- */

static int64_t seconds_of(const json_t *conversation)
{
    int64_t us = 0;

    clock_from_text(v4_text_in(json_object_get(conversation, "last_message"), "sent_at"), &us);
    return us / USEC_PER_SEC;
}

/* The numbers of the conversation's groups; `groups` as conversation_group_list shows them. */
static json_t *numbers_of(const json_t *conversation, const json_t *groups)
{
    json_t *numbers = json_array();
    const json_t *name, *group;
    size_t i, j;

    json_array_foreach(json_object_get(conversation, "groups"), i, name)
        json_array_foreach(groups, j, group)
            if (json_equal(name, json_object_get(group, "name")))
                json_array_append(numbers, json_object_get(group, "number"));
    return numbers;
}

static void add_marks(json_t *item, const json_t *conversation, const json_t *groups)
{
    json_object_set(item, "StandardMark", json_object_get(conversation, "marks"));
    json_object_set(item, "CustomMark", json_object_get(conversation, "custom_mark"));
    json_object_set_new(item, "ContactGroupId", numbers_of(conversation, groups));
}

static json_t *contact_out(const json_t *conversation, const json_t *groups)
{
    json_t *item = json_pack(
        "{s:i, s:O, s:I}", "Type", ONE_TO_ONE, "To_Account", json_object_get(conversation, "peer"),
        "Timestamp", seconds_of(conversation));

    add_marks(item, conversation, groups);
    return item;
}

static json_t *group_out(const json_t *group)
{
    return json_pack(
        "{s:O, s:O}", "GroupName", json_object_get(group, "name"), "GroupId",
        json_object_get(group, "number"));
}

static json_t *groups_out(const json_t *groups)
{
    json_t *list = json_array();
    const json_t *group;
    size_t i;

    json_array_foreach(groups, i, group)
        json_array_append_new(list, group_out(group));
    return list;
}

/* Asks for the groups; whoever takes them keeps them in c->state. */
static void ask_groups(struct v4_call *c, v4_next *next)
{
    const struct v4_ask ask = {.path = {V4_PARAM("user", v4_text(c, "From_Account"))}};

    v4_ask(c, &conversation_group_list, &ask, next);
}

static void keep_groups(struct v4_call *c)
{
    c->state = v4_owned(c, json_incref(json_object_get(v4_reply(c), "items")));
}

static void ask_conversations(struct v4_call *c, v4_next *next)
{
    const struct v4_ask ask = {.path = {V4_PARAM("user", v4_text(c, "From_Account"))}};

    v4_ask(c, &conversation_list, &ask, next);
}

/* ---- get_list ---- */

static const struct v4_field get_list_in[] = {
    FROM_MEMBER(50002),
    {"TimeStamp", .kind = V4_INT, .code = 50002},
    {"StartIndex", .kind = V4_INT, .code = 50002},
    {"TopTimeStamp", .kind = V4_INT, .code = 50002},
    {"TopStartIndex", .kind = V4_INT, .code = 50002},
    {"AssistFlags", .kind = V4_INT, .code = 50002},
    V4_LAST,
};

static const struct v4_field session_item[] = {
    {"Type", .kind = V4_INT},           {"To_Account", .kind = V4_TEXT},
    {"MsgTime", .kind = V4_INT},        {"TopFlag", .kind = V4_INT},
    {"StandardMark", .kind = V4_TEXT},  {"CustomMark", .kind = V4_TEXT},
    {"ContactGroupId", .kind = V4_ANY}, V4_LAST,
};

static const struct v4_field get_list_out[] = {
    {"SessionItem", .kind = V4_LIST, .of = session_item},
    {"CompleteFlag", .kind = V4_INT},
    {"TimeStamp", .kind = V4_INT},
    {"StartIndex", .kind = V4_INT},
    {"TopTimeStamp", .kind = V4_INT},
    {"TopStartIndex", .kind = V4_INT},
    V4_LAST,
};

static json_t *session_out(const struct v4_call *c, const json_t *conversation)
{
    json_t *item = json_pack(
        "{s:i, s:O, s:I, s:i}", "Type", ONE_TO_ONE, "To_Account",
        json_object_get(conversation, "peer"), "MsgTime", seconds_of(conversation), "TopFlag",
        json_is_true(json_object_get(conversation, "pinned")));

    if (v4_int(c, "AssistFlags", 0) & WITH_MARKS)
        add_marks(item, conversation, c->state);
    return item;
}

static bool is_wanted(const struct v4_call *c, const json_t *conversation)
{
    int64_t flags = v4_int(c, "AssistFlags", 0);

    return (flags & WITH_PINNED || !json_is_true(json_object_get(conversation, "pinned"))) &&
           (flags & WITH_EMPTY || json_object_get(conversation, "last_message"));
}

/* The list has an end that fits one page. */
static void take_list(struct v4_call *c)
{
    static const char *const ends[] = {"TimeStamp", "StartIndex", "TopTimeStamp", "TopStartIndex"};
    json_t *list = json_array();
    const json_t *conversation;
    size_t i;

    json_array_foreach(json_object_get(v4_reply(c), "items"), i, conversation)
        if (is_wanted(c, conversation))
            json_array_append_new(list, session_out(c, conversation));
    v4_answer(c, "SessionItem", list);
    v4_answer(c, "CompleteFlag", json_integer(1));
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        v4_answer(c, ends[i], json_integer(0));
}

static void list_with_groups(struct v4_call *c)
{
    keep_groups(c);
    ask_conversations(c, take_list);
}

static void get_list(struct v4_call *c)
{
    if (v4_int(c, "AssistFlags", 0) & WITH_MARKS)
        ask_groups(c, list_with_groups);
    else
        ask_conversations(c, take_list);
}

const struct v4_work v4_recent_get_list = {get_list_in, get_list_out, get_list};

/* ---- delete ---- */

static const struct v4_field delete_in[] = {
    FROM_MEMBER(50002),
    {"Type", .also = "type", .kind = V4_INT, .required = true, .code = 50002},
    {"To_Account", .kind = V4_TEXT, .code = 50002},
    {"ToGroupid", .kind = V4_TEXT, .code = 50002},
    {"ClearRamble", .kind = V4_INT, .code = 50002},
    V4_LAST,
};

static void delete (struct v4_call *c)
{
    struct text peer = v4_text(c, "To_Account");
    const struct v4_ask ask = {
        .path = {V4_PARAM("user", v4_text(c, "From_Account")), V4_PARAM("peer", peer)},
        .query = {
            V4_PARAM("messages", v4_int(c, "ClearRamble", 0) == 1 ? TEXT("true") : TEXT("false"))}};

    if (v4_int(c, "Type", 0) != ONE_TO_ONE)
        v4_fail(c, 50002, "Type must be 1: there are no groups here");
    else if (!text_present(peer))
        v4_fail(c, 50002, "To_Account is missing");
    else
        v4_ask(c, &conversation_delete, &ask, NULL);
}

const struct v4_work v4_recent_delete = {delete_in, v4_nothing, delete};

/* ---- contacts as members of requests ---- */

static const struct v4_field contact_item[] = {
    {"Type", .kind = V4_INT, .code = 50002, .text_too = true},
    {"To_Account", .kind = V4_TEXT, .code = 50002},
    {"ToGroupId", .kind = V4_TEXT, .code = 50002},
    V4_LAST,
};

static struct text peer_of(const json_t *contact)
{
    return v4_text_in(contact, "To_Account");
}

static json_t *contact_result(const json_t *contact, int number)
{
    return json_pack(
        "{s:O, s:i, s:s}", "ContactItem", (json_t *)contact, "ResultCode", number, "ResultInfo",
        number ? err_info(v4_code(number))->title : "");
}

/* ---- changing conversations one by one ---- */

/* Reads a conversation, then patches it: for each of a list. */
struct changes {
    const json_t *items;
    size_t i;
    const char *results; /* the list of the answer */
    const json_t *(*contact)(const json_t *item);
    json_t *(*patch)(struct v4_call *c, const json_t *item, const json_t *conversation);
    v4_next *done;
    json_t *results_list;
    json_t *groups;
    struct text group; /* that members are added to */
};

static void next_change(struct v4_call *c);

static const json_t *changed_item(const struct v4_call *c)
{
    const struct changes *changes = c->state;

    return json_array_get(changes->items, changes->i - 1);
}

static void take_change(struct v4_call *c)
{
    struct changes *changes = c->state;
    const json_t *contact = changes->contact(changed_item(c));

    json_array_append_new(changes->results_list, contact_result(contact, v4_step_number(c)));
    next_change(c);
}

static void change_read(struct v4_call *c)
{
    struct changes *changes = c->state;
    const json_t *item = changed_item(c);
    struct v4_ask ask = {
        .path =
            {V4_PARAM("user", v4_text(c, "From_Account")),
             V4_PARAM("peer", peer_of(changes->contact(item)))},
        .takes_errors = true};

    if (c->step_err.code != ERR_NONE) {
        take_change(c);
        return;
    }
    ask.body = changes->patch(c, item, v4_reply(c));
    v4_ask(c, &conversation_patch, &ask, take_change);
}

static void next_change(struct v4_call *c)
{
    struct changes *changes = c->state;

    while (changes->i < json_array_size(changes->items)) {
        const json_t *item = json_array_get(changes->items, changes->i++);
        struct text peer = peer_of(changes->contact(item));
        if (!text_present(peer)) {
            json_array_append_new(
                changes->results_list, contact_result(changes->contact(item), 50002));
            continue;
        }
        const struct v4_ask ask = {
            .path = {V4_PARAM("user", v4_text(c, "From_Account")), V4_PARAM("peer", peer)},
            .takes_errors = true};
        v4_ask(c, &conversation_get, &ask, change_read);
        return;
    }
    changes->done(c);
}

static void begin_changes(struct v4_call *c, const struct changes *changes)
{
    struct changes *mine = arena_copy(c->op->arena, changes, sizeof(*changes));

    mine->results_list = v4_owned(c, json_array());
    c->state = mine;
    next_change(c);
}

/* The names without one of them. */
static json_t *groups_without(const json_t *conversation, struct text name)
{
    json_t *names = json_array();
    const json_t *group;
    size_t i;

    json_array_foreach(json_object_get(conversation, "groups"), i, group)
        if (!text_equal(v4_text_of(group), name))
            json_array_append(names, (json_t *)group);
    return names;
}

static json_t *patch_with(const json_t *conversation, struct text group)
{
    json_t *names = groups_without(conversation, group);

    json_array_append_new(names, v4_json_text(group));
    return json_pack("{s:o}", "groups", names);
}

/* ---- create_contact_group ---- */

static const struct v4_field group_contact_item[] = {
    {"GroupName", .kind = V4_TEXT, .required = true, .code = 51006, .min = 1, .max = GROUP_BYTES},
    {"ContactItem", .kind = V4_LIST, .code = 51006, .max = 1000, .of = contact_item},
    V4_LAST,
};

static const struct v4_field create_contact_group_in[] = {
    FROM_MEMBER(51006),
    {"GroupContactItem", .kind = V4_LIST, .required = true, .code = 51006, .min = 1, .max = 1,
     .of = group_contact_item},
    V4_LAST,
};

static const struct v4_field group_item[] = {
    {"GroupName", .kind = V4_TEXT},
    {"GroupId", .kind = V4_INT},
    V4_LAST,
};

static const struct v4_field contact_result_item[] = {
    {"ContactItem", .kind = V4_OBJECT, .of = contact_item},
    {"ResultCode", .kind = V4_INT},
    {"ResultInfo", .kind = V4_TEXT},
    V4_LAST,
};

static const struct v4_field group_result_item[] = {
    {"GroupItem", .kind = V4_OBJECT, .of = group_item},
    {"ResultItem", .kind = V4_LIST, .of = contact_result_item},
    V4_LAST,
};

static const struct v4_field create_contact_group_out[] = {
    {"GroupResultItem", .kind = V4_LIST, .of = group_result_item},
    V4_LAST,
};

static const json_t *contact_itself(const json_t *item)
{
    return item;
}

static json_t *patch_added(struct v4_call *c, const json_t *item, const json_t *conversation)
{
    const struct changes *changes = c->state;

    (void)item;
    return patch_with(conversation, changes->group);
}

static void answer_created(struct v4_call *c)
{
    const struct changes *changes = c->state;

    v4_answer(
        c, "GroupResultItem",
        json_pack(
            "[{s:O, s:O}]", "GroupItem", changes->groups, "ResultItem", changes->results_list));
}

static const json_t *new_group(const struct v4_call *c)
{
    return json_array_get(v4_get(c, "GroupContactItem"), 0);
}

static void take_created(struct v4_call *c)
{
    if (c->step_err.code == ERR_GROUPS_FULL) {
        v4_fail(c, 51009, "there are as many groups as are allowed");
        return;
    }
    if (c->step_err.code != ERR_NONE) {
        v4_fail_step(c);
        return;
    }
    const struct changes changes = {
        .items = json_object_get(new_group(c), "ContactItem"),
        .contact = contact_itself,
        .patch = patch_added,
        .done = answer_created,
        .groups = v4_owned(c, group_out(v4_reply(c))),
        .group = v4_text_in(new_group(c), "GroupName")};
    begin_changes(c, &changes);
}

static void create_contact_group(struct v4_call *c)
{
    const struct v4_ask ask = {
        .path =
            {V4_PARAM("user", v4_text(c, "From_Account")),
             V4_PARAM("group", v4_text_in(new_group(c), "GroupName"))},
        .takes_errors = true};

    v4_ask(c, &conversation_group_put, &ask, take_created);
}

const struct v4_work v4_create_contact_group = {
    create_contact_group_in, create_contact_group_out, create_contact_group};

/* ---- update_contact_group ---- */

enum { RENAME = 1, MEMBERS = 2, ADD = 1, REMOVE = 2 };

static const struct v4_field contact_update_item[] = {
    {"ContactOptType", .kind = V4_INT, .required = true, .code = 51007, .min = ADD, .max = REMOVE},
    {"ContactItem", .kind = V4_OBJECT, .required = true, .code = 51007, .of = contact_item},
    V4_LAST,
};

static const struct v4_field update_group[] = {
    {"UpdateGroupType", .kind = V4_INT, .required = true, .code = 51007, .min = RENAME,
     .max = MEMBERS},
    {"OldGroupName", .kind = V4_TEXT, .required = true, .code = 51007},
    {"NewGroupName", .kind = V4_TEXT, .code = 51007, .max = GROUP_BYTES},
    {"ContactUpdateItem", .kind = V4_LIST, .code = 51007, .max = 1000, .of = contact_update_item},
    V4_LAST,
};

static const struct v4_field update_contact_group_in[] = {
    FROM_MEMBER(51007),
    {"UpdateType", .kind = V4_INT, .code = 51007},
    {"UpdateGroup", .kind = V4_OBJECT, .required = true, .code = 51007, .of = update_group},
    V4_LAST,
};

static const struct v4_field update_group_result[] = {
    {"UpdateGroupType", .kind = V4_INT},
    {"GroupName", .kind = V4_TEXT},
    {"GroupId", .kind = V4_INT},
    {"OldGroupName", .kind = V4_TEXT},
    {"ContactResultItem", .kind = V4_LIST, .of = contact_result_item},
    V4_LAST,
};

static const struct v4_field update_contact_group_out[] = {
    {"UpdateType", .kind = V4_INT},
    {"UpdateGroupResult", .kind = V4_OBJECT, .of = update_group_result},
    V4_LAST,
};

static json_t *answer_update(struct v4_call *c, int type, const json_t *group)
{
    json_t *result = group_out(group);

    json_object_set_new(result, "UpdateGroupType", json_integer(type));
    v4_answer(c, "UpdateType", json_integer(1));
    v4_answer(c, "UpdateGroupResult", result);
    return result;
}

static void fail_group(struct v4_call *c)
{
    if (c->step_err.code == ERR_GROUP_UNKNOWN)
        v4_fail(c, 51011, "there is no such group");
    else if (c->step_err.code == ERR_NAME_TAKEN)
        v4_fail(c, 51010, "another group has this name");
    else
        v4_fail_step(c);
}

static void take_renamed(struct v4_call *c)
{
    if (c->step_err.code != ERR_NONE) {
        fail_group(c);
        return;
    }
    json_t *result = answer_update(c, RENAME, v4_reply(c));
    json_object_set(
        result, "OldGroupName", json_object_get(v4_get(c, "UpdateGroup"), "OldGroupName"));
}

static const json_t *contact_of_update(const json_t *item)
{
    return json_object_get(item, "ContactItem");
}

static json_t *patch_member(struct v4_call *c, const json_t *item, const json_t *conversation)
{
    const struct changes *changes = c->state;

    if (json_integer_value(json_object_get(item, "ContactOptType")) == ADD)
        return patch_with(conversation, changes->group);
    return json_pack("{s:o}", "groups", groups_without(conversation, changes->group));
}

static void answer_members(struct v4_call *c)
{
    const struct changes *changes = c->state;
    json_t *result = answer_update(c, MEMBERS, changes->groups);

    json_object_set(result, "ContactResultItem", changes->results_list);
}

static void take_groups_to_update(struct v4_call *c)
{
    const json_t *update = v4_get(c, "UpdateGroup");
    struct text name = v4_text_in(update, "OldGroupName");
    json_t *group;
    size_t i;

    keep_groups(c);
    json_array_foreach((json_t *)c->state, i, group) {
        if (!text_equal(v4_text_in(group, "name"), name))
            continue;
        const struct changes changes = {
            .items = json_object_get(update, "ContactUpdateItem"),
            .contact = contact_of_update,
            .patch = patch_member,
            .done = answer_members,
            .groups = group,
            .group = name};
        begin_changes(c, &changes);
        return;
    }
    v4_fail(c, 51011, "there is no such group");
}

static void update_contact_group(struct v4_call *c)
{
    const json_t *update = v4_get(c, "UpdateGroup");
    struct text name = v4_text_in(update, "NewGroupName");
    struct v4_ask ask = {
        .path =
            {V4_PARAM("user", v4_text(c, "From_Account")),
             V4_PARAM("group", v4_text_in(update, "OldGroupName"))},
        .takes_errors = true};

    if (json_integer_value(json_object_get(update, "UpdateGroupType")) == MEMBERS) {
        ask_groups(c, take_groups_to_update);
    } else if (!text_present(name)) {
        v4_fail(c, 51007, "NewGroupName is missing");
    } else {
        ask.body = json_pack("{s:o}", "name", v4_json_text(name));
        v4_ask(c, &conversation_group_rename, &ask, take_renamed);
    }
}

const struct v4_work v4_update_contact_group = {
    update_contact_group_in, update_contact_group_out, update_contact_group};

/* ---- del_contact_group ---- */

static const struct v4_field del_contact_group_in[] = {
    FROM_MEMBER(51007),
    {"GroupName", .kind = V4_TEXTS, .required = true, .code = 51007, .min = 1, .max = 1},
    V4_LAST,
};

static const struct v4_field del_contact_group_out[] = {
    {"GroupItem", .kind = V4_LIST, .of = group_item},
    V4_LAST,
};

static void take_groups_to_delete(struct v4_call *c)
{
    const json_t *name = json_array_get(v4_get(c, "GroupName"), 0);
    const json_t *group;
    size_t i;

    keep_groups(c);
    json_array_foreach((json_t *)c->state, i, group) {
        if (!json_equal(name, json_object_get(group, "name")))
            continue;
        const struct v4_ask ask = {
            .path = {
                V4_PARAM("user", v4_text(c, "From_Account")), V4_PARAM("group", v4_text_of(name))}};
        v4_answer(c, "GroupItem", json_pack("[o]", group_out(group)));
        v4_ask(c, &conversation_group_delete, &ask, NULL);
        return;
    }
    v4_fail(c, 51011, "there is no such group");
}

static void del_contact_group(struct v4_call *c)
{
    ask_groups(c, take_groups_to_delete);
}

const struct v4_work v4_del_contact_group = {
    del_contact_group_in, del_contact_group_out, del_contact_group};

/* ---- mark_contact ---- */

enum { STANDARD_MARKS = 1, CUSTOM_MARK = 2 };

static const struct v4_field mark_item[] = {
    {"OptType", .kind = V4_INT, .required = true, .code = 51008, .min = 1, .max = 3},
    {"ContactItem", .kind = V4_OBJECT, .required = true, .code = 51008, .of = contact_item},
    {"ClearMark", .kind = V4_ANY, .code = 51008},
    {"SetMark", .kind = V4_ANY, .code = 51008},
    {"CustomMark", .kind = V4_TEXT, .code = 51008, .max = 256},
    V4_LAST,
};

static const struct v4_field mark_contact_in[] = {
    FROM_MEMBER(51008),
    {"MarkItem", .kind = V4_LIST, .required = true, .code = 51008, .min = 1, .max = 100,
     .of = mark_item},
    V4_LAST,
};

static const struct v4_field mark_contact_out[] = {
    {"ResultItem", .kind = V4_LIST, .of = contact_result_item},
    V4_LAST,
};

static void write_marks(const json_t *numbers, char value, char marks[MARKS + 1])
{
    const json_t *number;
    size_t i;

    json_array_foreach(numbers, i, number) {
        json_int_t mark = json_integer_value(number);
        if (json_is_integer(number) && mark >= 0 && mark < MARKS)
            marks[mark] = value;
    }
}

/* The first character is mark 0. */
static json_t *patch_marks(struct v4_call *c, const json_t *item, const json_t *conversation)
{
    int64_t type = json_integer_value(json_object_get(item, "OptType"));
    struct text old = v4_text_in(conversation, "marks");
    char marks[MARKS + 1];
    json_t *patch = json_object();

    (void)c;
    memset(marks, '0', MARKS);
    marks[MARKS] = '\0';
    memcpy(marks, old.len ? old.ptr : "", old.len < MARKS ? old.len : MARKS);
    write_marks(json_object_get(item, "ClearMark"), '0', marks);
    write_marks(json_object_get(item, "SetMark"), '1', marks);
    if (type & STANDARD_MARKS)
        json_object_set_new(patch, "marks", json_string(marks));
    if (type & CUSTOM_MARK)
        json_object_set(
            patch, "custom_mark",
            json_object_get(item, "CustomMark") ? json_object_get(item, "CustomMark")
                                                : json_null());
    return patch;
}

static void answer_marks(struct v4_call *c)
{
    const struct changes *changes = c->state;

    v4_answer(c, "ResultItem", json_incref(changes->results_list));
}

static void mark_contact(struct v4_call *c)
{
    const struct changes changes = {
        .items = v4_get(c, "MarkItem"),
        .contact = contact_of_update,
        .patch = patch_marks,
        .done = answer_marks};

    begin_changes(c, &changes);
}

const struct v4_work v4_mark_contact = {mark_contact_in, mark_contact_out, mark_contact};

/* ---- search_contact_group, get_contact_group ---- */

static const struct v4_field search_contact_group_in[] = {
    FROM_MEMBER(50002),
    {"ContactItem", .kind = V4_LIST, .required = true, .code = 50002, .min = 1, .max = 300,
     .of = contact_item},
    V4_LAST,
};

static const struct v4_field marked_contact[] = {
    {"Type", .kind = V4_INT},
    {"To_Account", .kind = V4_TEXT},
    {"StandardMark", .kind = V4_TEXT},
    {"CustomMark", .kind = V4_TEXT},
    {"ContactGroupId", .kind = V4_ANY},
    {"Timestamp", .kind = V4_INT},
    V4_LAST,
};

static const struct v4_field search_contact_group_out[] = {
    {"ContactResultItem", .kind = V4_LIST, .of = marked_contact},
    {"GroupItem", .kind = V4_LIST, .of = group_item},
    V4_LAST,
};

static void ask_searched(struct v4_call *c, const json_t *item, struct v4_ask *ret)
{
    if (!text_present(peer_of(item)))
        return;
    ret->path[0] = (struct param)V4_PARAM("user", v4_text(c, "From_Account"));
    ret->path[1] = (struct param)V4_PARAM("peer", peer_of(item));
}

/* Who is no account has no conversation. */
static void take_searched(struct v4_call *c, const json_t *item)
{
    (void)item;
    if (c->step_err.code == ERR_NONE)
        json_array_append_new(
            json_object_get(c->answer, "ContactResultItem"), contact_out(v4_reply(c), c->state));
}

static void search_with_groups(struct v4_call *c)
{
    const struct v4_each each = {
        .items = v4_get(c, "ContactItem"),
        .operation = &conversation_get,
        .ask = ask_searched,
        .take = take_searched};

    keep_groups(c);
    v4_answer(c, "GroupItem", groups_out(c->state));
    v4_answer(c, "ContactResultItem", json_array());
    v4_for_each(c, &each);
}

static void search_contact_group(struct v4_call *c)
{
    ask_groups(c, search_with_groups);
}

const struct v4_work v4_search_contact_group = {
    search_contact_group_in, search_contact_group_out, search_contact_group};

static const struct v4_field get_contact_group_in[] = {
    FROM_MEMBER(50002),
    {"StartIndex", .kind = V4_INT, .code = 50002},
    V4_LAST,
};

static const struct v4_field get_contact_group_out[] = {
    {"ContactItem", .kind = V4_LIST, .of = marked_contact},
    {"GroupItem", .kind = V4_LIST, .of = group_item},
    {"CompleteFlag", .kind = V4_INT},
    {"NextStartIndex", .kind = V4_INT},
    V4_LAST,
};

static void take_marked(struct v4_call *c)
{
    json_t *list = json_array();
    const json_t *conversation;
    size_t i;

    json_array_foreach(c->listed, i, conversation)
        json_array_append_new(list, contact_out(conversation, c->state));
    v4_answer(c, "ContactItem", list);
    v4_answer(c, "GroupItem", groups_out(c->state));
    v4_answer(c, "CompleteFlag", json_integer(1));
    v4_answer(c, "NextStartIndex", json_integer(0));
}

static void marked_with_groups(struct v4_call *c)
{
    const struct v4_listing listing = {
        &conversation_marked_list, v4_text(c, "From_Account"), take_marked};

    keep_groups(c);
    v4_list_all(c, &listing);
}

static void get_contact_group(struct v4_call *c)
{
    ask_groups(c, marked_with_groups);
}

const struct v4_work v4_get_contact_group = {
    get_contact_group_in, get_contact_group_out, get_contact_group};
