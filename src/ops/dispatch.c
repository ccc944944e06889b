#include "ops/dispatch.h"

#include "ops/services.h"

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
    int result = op->operation->check ? op->operation->check(op) : 0;

    if (result == 0)
        result = run_or_queue(op);
    /* In line, the operation is another thread's by now and may be done already. */
    if (result != 0 || lane == LANE_HTTP)
        op->done(op, result);
}
