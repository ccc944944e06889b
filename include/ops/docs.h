/* What this very program can do, as two texts that meson makes of openapi/: the OpenAPI document,
 * and the same as a page for people. */
#pragma once

#include <stddef.h>

extern const char openapi_json[];
extern const size_t openapi_json_size;

extern const char openapi_html[];
extern const size_t openapi_html_size;
