/* JSON written straight into a buffer: for replies and log lines, which are too many to build a
 * tree of jansson's for each first (that took as long as all the rest of a request). Reading is
 * jansson's. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

/* A JSON string. `t` is UTF-8. Control characters, also those above U+007F, and the line separators
 * U+2028 and U+2029 are escaped, so that the text stays one line for every reader. */
void json_write_text(struct buf *ret, struct text t);
void json_write_i64(struct buf *ret, int64_t value);
/* The shortest number that reads back as the same; with a '.' or an 'e', so that it stays a real.
 * `value` is finite. */
void json_write_real(struct buf *ret, double value);
/* A tree of jansson's, compact. */
void json_write_tree(struct buf *ret, const json_t *json);
