#include "ops/problem.h"

#include "base/err.h"

static const struct err_info *info_of(struct text code)
{
    enum err_code known = err_from_code(code);

    return err_info(known ? known : ERR_INTERNAL);
}

struct text problem_of(struct arena *arena, struct text code)
{
    if (!text_present(code))
        return TEXT_ABSENT;
    /* Codes and titles are words of ours that need no escapes. */
    const struct err_info *info = info_of(code);
    return text_of(arena_printf(
        arena, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\"}",
        info->code, info->title, info->status, info->code));
}

int problem_status(struct text code)
{
    return info_of(code)->status;
}
