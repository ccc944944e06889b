/* The database's schema: what this program was built with, and what the database has. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* A file of sql/ as it was when the program was built (src/store/sql_bundle.c, made by meson). */
struct sql_file {
    const char *name; /* "migrations/0001_init.sql" */
    const char *text;
};

extern const struct sql_file sql_bundle[];
extern const size_t sql_bundle_size;

/* The newest migration this program knows. */
int schema_newest(void);

/* Brings the database that `url` names up to date: setup.sql with the connecting role's own rights,
 * then in one transaction, under an advisory lock and as duet_owner, the migrations that are
 * missing and all functions, views and jobs. Safe to run twice and at the same time. Each step is
 * written to `report`. */
int schema_migrate(const char *url, struct buf *report, char *why, size_t why_size);

/* 0 when nothing is to be done, 1 when there is; -1 with `why` when the database has what this
 * program does not know, or cannot be asked. */
int schema_check(const char *url, struct buf *report, char *why, size_t why_size);
