/* A table of text cells: pipeline fills it, report prints it (terminal, Markdown, JSON).
 * Cells are copied. Column alignment: 'l' or 'r'. */
#ifndef QZ_BASE_TABLE_H
#define QZ_BASE_TABLE_H
#include <stddef.h>
#include "base/arena.h"
#include "base/status.h"

typedef struct { const char *title; char align; } qz_column;
typedef struct {
    const char *caption;
    qz_column *cols; size_t n_cols;
    const char **cells; size_t n_rows;   /* [n_rows, n_cols] */
    size_t cap_rows;
    qz_arena *arena;
} qz_table;

qz_status qz_table_init(qz_table *t, qz_arena *arena, const char *caption, const qz_column *cols, size_t n_cols,
                        qz_error *err);
/* Adds a row of n_cols empty cells; its index is n_rows - 1. */
qz_status qz_table_row(qz_table *t, qz_error *err);
/* Sets a cell of the last row. */
qz_status qz_table_set(qz_table *t, size_t col, qz_error *err, const char *fmt, ...) QZ_PRINTF(4, 5);
const char *qz_table_cell(const qz_table *t, size_t row, size_t col);
#endif
