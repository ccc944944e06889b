#include "ops/dispatch.h"

#include "ops/services.h"

/* Where the request is refused, members of its lists that are wrong by themselves get no result. */
static int check(struct op *op)
{
    const struct operation *operation = op->operation;

    if (!operation->check || operation->check(op) == 0)
        return 0;
    fields_name_left_out(&operation->in, op->in, op->err);
    return -1;
}

void op_name_rest(struct op *op)
{
    if (op->err->code == ERR_INVALID_REQUEST && check(op) == 0)
        fields_name_left_out(&op->operation->in, op->in, op->err);
}

static int run_or_queue(struct op *op)
{
    switch (op->operation->lane) {
    case LANE_HTTP:
        return op->operation->run(op);
    case LANE_READER:
        return store_submit(op->services->store, op);
    case LANE_SENDER:
    case LANE_CHAIN:
        return op->operation->run(op);
    }
    return -1;
}

void op_dispatch(struct op *op)
{
    enum lane lane = op->operation->lane;
    int result = check(op);

    if (result == 0)
        result = run_or_queue(op);
    /* In line, the operation is another thread's by now and may be done already. */
    if (result != 0 || lane == LANE_HTTP)
        op->done(op, result);
}
