/* Bytes on their way to several readers: made once, given back by the last of them. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>

#include "base/text.h"

struct piece {
    atomic_size_t n_owners;
    size_t len;
    char bytes[];
};

/* A copy of `bytes`, with one owner. */
struct piece *piece_new(struct text bytes);
struct piece *piece_share(struct piece *piece); /* one owner more */
void piece_drop(struct piece *piece);           /* one less; takes NULL */
