#include "base/piece.h"

#include <stdlib.h>

#include "base/memory.h"

struct piece *piece_new(struct text bytes)
{
    struct piece *piece = mem_alloc(sizeof(*piece) + bytes.len);

    atomic_init(&piece->n_owners, 1);
    piece->len = bytes.len;
    memcpy(piece->bytes, bytes.ptr, bytes.len);
    return piece;
}

struct piece *piece_share(struct piece *piece)
{
    atomic_fetch_add(&piece->n_owners, 1);
    return piece;
}

void piece_drop(struct piece *piece)
{
    if (piece && atomic_fetch_sub(&piece->n_owners, 1) == 1)
        free(piece);
}
