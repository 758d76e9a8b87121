#include "pipeline/fit.h"
#include "base/size.h"
#include <string.h>

static size_t width_of(const char *s, size_t bytes) {
    size_t n = 0;
    for (size_t i = 0; i < bytes && s[i]; i++) n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

void qz_fit_line(qz_str *out, const char *text, size_t hang) {
    size_t indent = strspn(text, " "), at = indent;
    qz_str_append(out, text, indent);
    text += indent;
    bool first = true;
    while (*text) {
        size_t k = strcspn(text, " "), w = width_of(text, k), gap = strspn(text + k, " ");
        if (!first && at + w > QZ_FIT_TEXT) {
            while (out->len && out->ptr[out->len - 1] == ' ') out->ptr[--out->len] = 0;
            qz_str_putc(out, '\n');
            for (at = 0; at < indent + hang; at++) qz_str_putc(out, ' ');
        }
        qz_str_append(out, text, k + (text[k + gap] ? gap : 0));
        at += w + gap;
        text += k + gap;
        first = false;
    }
    qz_str_putc(out, '\n');
}

/* Bytes of the first line of a cell when it is cut at spaces to `width` columns (a longer word stays whole). */
static size_t line_bytes(const char *s, size_t width) {
    size_t best = 0, n = strlen(s);
    for (size_t i = 0; i <= n; i++)
        if (s[i] == ' ' || s[i] == 0) {
            if (width_of(s, i) > width && best) break;
            best = i;
        }
    return best;
}

static qz_status wrap_row(const qz_table *t, size_t r, const size_t *width, qz_table *out, qz_error *err) {
    const char **rest = qz_arena_alloc(t->arena, t->n_cols, sizeof *rest);
    if (rest == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t c = 0; c < t->n_cols; c++) rest[c] = qz_table_cell(t, r, c);
    for (bool more = true; more;) {
        more = false;
        QZ_TRY(qz_table_row(out, err));
        for (size_t c = 0; c < t->n_cols; c++) {
            size_t k = t->cols[c].align == 'r' ? strlen(rest[c]) : line_bytes(rest[c], width[c]);
            if (k) QZ_TRY(qz_table_set(out, c, err, "%.*s", (int)k, rest[c]));
            rest[c] += k + (rest[c][k] == ' ');
            more |= *rest[c] != 0;
        }
    }
    return QZ_OK;
}

qz_status qz_fit_table(const qz_table *t, qz_table *out, qz_error *err) {
    size_t *width = qz_arena_calloc(t->arena, t->n_cols, sizeof *width), total = 0;
    if (width == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t c = 0; c < t->n_cols; c++) {
        width[c] = width_of(t->cols[c].title, SIZE_MAX);
        for (size_t r = 0; r < t->n_rows; r++) width[c] = qz_max_size(width[c], width_of(qz_table_cell(t, r, c), SIZE_MAX));
        total += width[c] + 2;
    }
    *out = *t;
    if (total <= QZ_FIT_TABLE + 2) return QZ_OK;
    while (total > QZ_FIT_TABLE + 2) { /* the widest text column gives way */
        size_t wide = t->n_cols;
        for (size_t c = 0; c < t->n_cols; c++)
            if (t->cols[c].align != 'r' && width[c] > 14 && (wide == t->n_cols || width[c] > width[wide])) wide = c;
        if (wide == t->n_cols) break;
        width[wide]--;
        total--;
    }
    QZ_TRY(qz_table_init(out, t->arena, t->caption, t->cols, t->n_cols, err));
    for (size_t r = 0; r < t->n_rows; r++) QZ_TRY(wrap_row(t, r, width, out, err));
    return QZ_OK;
}
