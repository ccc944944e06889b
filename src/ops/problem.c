#include "ops/problem.h"

#include "base/err.h"

void problem_tell(struct arena *arena, struct text *problem, int64_t *status)
{
    if (!text_present(*problem))
        return;
    enum err_code known = err_from_code(*problem);
    const struct err_info *info = err_info(known ? known : ERR_INTERNAL);
    *status = info->status;
    /* Codes and titles are words of ours that need no escapes. */
    *problem = text_of(arena_printf(
        arena, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\"}",
        info->code, info->title, info->status, info->code));
}
