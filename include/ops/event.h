/* Streams of events, for whoever writes them to their clients. */
#pragma once

#include "base/watch.h"
#include "ops/services.h"

/* The client has been sent what there was; what comes now the watch is given. */
void event_stream_park(struct services *services, struct watch *watch);
/* The stream has ended, however it did. Takes one that was never opened. */
void event_stream_close(struct services *services, struct watch *watch);
