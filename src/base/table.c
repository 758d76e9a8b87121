#include "base/table.h"
#include "base/size.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

qz_status qz_table_init(qz_table *t, qz_arena *arena, const char *caption, const qz_column *cols, size_t n_cols,
                        qz_error *err) {
    *t = (qz_table){.arena = arena, .n_cols = n_cols};
    t->caption = caption ? qz_arena_strdup(arena, caption) : NULL;
    t->cols = qz_arena_alloc(arena, n_cols, sizeof *t->cols);
    if (t->cols == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for a table of %zu columns", n_cols);
    memcpy(t->cols, cols, n_cols * sizeof *cols);
    return QZ_OK;
}

qz_status qz_table_row(qz_table *t, qz_error *err) {
    if (t->n_rows == t->cap_rows) {
        size_t cap = t->cap_rows ? t->cap_rows * 2 : 16, n;
        const char **cells = qz_mul_size(cap, t->n_cols, &n) ? qz_arena_calloc(t->arena, n, sizeof *cells) : NULL;
        if (cells == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for table row %zu", t->n_rows);
        if (t->n_rows) memcpy(cells, t->cells, t->n_rows * t->n_cols * sizeof *cells);
        t->cells = cells;
        t->cap_rows = cap;
    }
    t->n_rows++;
    return QZ_OK;
}

qz_status qz_table_set(qz_table *t, size_t col, qz_error *err, const char *fmt, ...) {
    va_list ap, ap2;
    va_start(ap, fmt);
    va_copy(ap2, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : qz_arena_alloc(t->arena, (size_t)n + 1, 1);
    if (p != NULL) (void)vsnprintf(p, (size_t)n + 1, fmt, ap2);
    va_end(ap2);
    if (p == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for a table cell");
    t->cells[(t->n_rows - 1) * t->n_cols + col] = p;
    return QZ_OK;
}

const char *qz_table_cell(const qz_table *t, size_t row, size_t col) {
    const char *c = t->cells[row * t->n_cols + col];
    return c ? c : "";
}
