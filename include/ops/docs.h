/* What this very program can do, as two texts that meson makes of openapi/: the OpenAPI document,
 * and the same as a page for people. */
#pragma once

#include "base/op.h"

extern const struct document openapi_json;
extern const struct document openapi_html;
