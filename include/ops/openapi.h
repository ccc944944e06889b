/* The OpenAPI document of this very program, as one JSON text (made by meson from openapi/). */
#pragma once

#include <stddef.h>

extern const char openapi_json[];
extern const size_t openapi_json_size;
