/* What an operator should know of a database before and while Duet works with it. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

/* Writes a line a finding: "ok", "warn" or "bad", what was looked at, what was seen. True when
 * nothing is bad. Needs the rights of the role that migrates. */
bool doctor_examine(const char *url, struct buf *report);
