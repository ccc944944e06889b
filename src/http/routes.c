#include "http/route.h"
#include "http/v4/v4.h"

#define ROUTE(method, path, name, scope, own, success) extern const struct operation name;
#include "routes.def"
#undef ROUTE

const struct route routes[] = {
#define ROUTE(method, path, name, scope, own, success)                                             \
    {METHOD_##method, path, &name, SCOPE_##scope, OWN_##own, success},
#include "routes.def"
#undef ROUTE
    /* The second face, whose commands are in src/http/v4/commands.def. */
    {METHOD_POST, "/v4/{service}/{command}", &v4_call, SCOPE_USERSIG, OWN_NONE, 200},
    {METHOD_GET, "/v4/files/{file}", &v4_file, SCOPE_USERSIG, OWN_NONE, 200},
};

const size_t n_routes = sizeof(routes) / sizeof(routes[0]);

const char *method_text(enum method method)
{
    static const char *const names[METHODS] = {
        [METHOD_GET] = "GET",     [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
        [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
    };

    return names[method];
}

/* ---- as `duetd routes` prints them ---- */

static json_t *describe_errors(void)
{
    json_t *array = json_array();

    for (int code = ERR_NONE + 1; code < ERR_CODES; code++) {
        const struct err_info *info = err_info((enum err_code)code);
        json_array_append_new(
            array, json_pack(
                       "{s:s, s:i, s:s}", "code", info->code, "status", info->status, "title",
                       info->title));
    }
    return array;
}

static json_t *describe_refusals(const struct operation *operation)
{
    json_t *array = json_array();

    for (const enum err_code *code = operation->refuses; code && *code; code++)
        json_array_append_new(array, json_string(err_info(*code)->code));
    return array;
}

static json_t *describe_route(const struct route *route)
{
    static const char *const owns[] = {
        [OWN_NONE] = "none",
        [OWN_PATH_USER] = "path:user",
        [OWN_BODY_FROM] = "body:from",
        [OWN_AS_USER] = "as_user"};

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:i, s:b, s:b, s:b, s:o, s:o, s:o}", "method",
        method_text(route->method), "path", route->path, "operation", route->operation->name,
        "scope", scope_text(route->scope), "own", owns[route->own], "success", route->success,
        "audit", route->operation->audit, "file", route->operation->file, "follows",
        route->operation->follows, "refuses", describe_refusals(route->operation), "in",
        fields_describe(&route->operation->in, true), "out",
        fields_describe(&route->operation->out, false));
}

json_t *routes_describe(void)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n_routes; i++)
        if (routes[i].scope != SCOPE_USERSIG)
            json_array_append_new(array, describe_route(&routes[i]));
    return json_pack(
        "{s:o, s:o, s:o}", "routes", array, "errors", describe_errors(), "v4", v4_describe());
}
