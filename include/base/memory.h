/* Memory that is not a request's. What cannot be had ends the process, as base/arena.h says. */
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size); /* zeroed */
void *mem_resize(void *old, size_t size);

/* A variable that frees what it points to when it goes out of scope. */
void mem_free_auto(void *pointer_to_pointer);
#define mem_auto __attribute__((cleanup(mem_free_auto)))

/* Hands a pointer on: the variable is empty afterwards, so nothing is given back twice. */
#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })
