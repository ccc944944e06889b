/* Any target against the route table: the first byte picks the method. */
#include "http/router.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct route table[] = {
    {METHOD_GET, "/healthz", NULL, SCOPE_PUBLIC, OWN_NONE, 200},
    {METHOD_GET, "/v1/users/{user}", NULL, SCOPE_ADMIN, OWN_NONE, 200},
    {METHOD_PUT, "/v1/users/{user}", NULL, SCOPE_ADMIN, OWN_NONE, 201},
    {METHOD_POST, "/v1/messages", NULL, SCOPE_ADMIN, OWN_NONE, 201},
    {METHOD_POST, "/v1/messages/batch", NULL, SCOPE_ADMIN, OWN_NONE, 200},
    {METHOD_GET, "/v1/messages/{id}", NULL, SCOPE_ADMIN, OWN_NONE, 200},
    {METHOD_GET, "/v1/users/{user}/friends/{peer}", NULL, SCOPE_ADMIN, OWN_NONE, 200},
};

static void require(bool held)
{
    if (!held)
        abort();
}

static void require_segment(struct text t)
{
    require(t.len > 0);
    require(!memchr(t.ptr, '/', t.len) && !memchr(t.ptr, '\\', t.len) && !memchr(t.ptr, 0, t.len));
    require(!text_equal(t, TEXT(".")) && !text_equal(t, TEXT("..")));
}

static void require_good(const struct match *match)
{
    require(match->route && match->n_path <= 2 && match->n_query <= ROUTER_QUERY_PARAMS);
    for (size_t i = 0; i < match->n_path; i++) {
        require(match->path[i].name.len > 0);
        require_segment(match->path[i].value);
    }
    for (size_t i = 0; i < match->n_query; i++) {
        struct param param = match->query[i];
        require(text_is_utf8(param.name) && !memchr(param.name.ptr, 0, param.name.len));
        require(text_present(param.value) && !memchr(param.value.ptr, 0, param.value.len));
        for (size_t j = 0; j < i; j++)
            require(!text_equal(param.name, match->query[j].name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST", "PUT",
                                          "PATCH", "DELETE", "GETS", ""};
    struct match match;
    struct err err;

    if (size == 0)
        return 0;
    struct arena *arena = arena_new();
    err_init(&err, arena);
    struct text target = {(const char *)data + 1, size - 1};
    int result = router_match(
        table, sizeof(table) / sizeof(table[0]), methods[data[0] % 8], target, arena, &match, &err);
    require(result == (err.code == ERR_NONE ? 0 : -1));
    require((err.code == ERR_METHOD_NOT_ALLOWED) == (match.allow[0] != '\0'));
    for (const struct err_field *field = err.fields; field; field = field->next)
        require(text_is_utf8(text_of(field->pointer)));
    if (result == 0)
        require_good(&match);
    arena_free(arena);
    return 0;
}
