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
        if (!first && at + w > QZ_FIT_COLUMNS) {
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

/* fmt as one string in *line, to be released; out fails with it. */
static const char *formatted(qz_str *line, qz_str *out, const char *fmt, va_list ap) {
    *line = (qz_str){0};
    qz_str_vprintf(line, fmt, ap);
    out->failed |= line->failed;
    return line->ptr ? line->ptr : "";
}

void qz_fit_vprintf(qz_str *out, size_t hang, const char *fmt, va_list ap) {
    qz_str line;
    qz_fit_line(out, formatted(&line, out, fmt, ap), hang);
    qz_str_release(&line);
}
void qz_fit_printf(qz_str *out, size_t hang, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    qz_fit_vprintf(out, hang, fmt, ap);
    va_end(ap);
}

void qz_fit_command(qz_str *out, size_t indent, const char *fmt, ...) {
    qz_str line;
    va_list ap;
    va_start(ap, fmt);
    const char *command = formatted(&line, out, fmt, ap);
    va_end(ap);
    size_t at = indent;
    for (size_t i = 0; i < indent; i++) qz_str_putc(out, ' ');
    for (bool first = true; *command; first = false) { /* a piece: an option with its value, or the words in front */
        const char *next = strstr(command + 1, " -");
        size_t n = next ? (size_t)(next - command) : strlen(command), w = width_of(command, n);
        if (!first && at + w + 2 > QZ_FIT_COLUMNS) {
            qz_str_puts(out, " \\\n");
            for (at = 0; at <= indent; at++) qz_str_putc(out, ' ');
        }
        qz_str_append(out, command, n);
        at += w;
        command += n;
    }
    qz_str_putc(out, '\n');
    qz_str_release(&line);
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

/* Where a title may break so that both lines are short: behind a blank, a dash or a point; 0: nowhere. */
static size_t title_break(const char *title, size_t width) {
    size_t best = 0, cost = width_of(title, SIZE_MAX);
    for (size_t i = 1; title[i]; i++) {
        if (title[i - 1] != ' ' && title[i - 1] != '-' && title[i - 1] != '.') continue;
        size_t c = qz_max_size(qz_max_size(width_of(title, i - (title[i - 1] == ' ')), width_of(title + i, SIZE_MAX)), width);
        if (c < cost) best = i, cost = c;
    }
    return best;
}

/* Titles that are wider than their column's cells become two lines: upper line as title, lower line as first row. */
static qz_status break_titles(const qz_table *t, size_t *width, size_t *total, qz_table *out, qz_error *err) {
    qz_column *cols = qz_arena_alloc(t->arena, t->n_cols, sizeof *cols);
    const char **lower = qz_arena_alloc(t->arena, t->n_cols, sizeof *lower);
    if (cols == NULL || lower == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t c = 0; c < t->n_cols; c++) {
        size_t cells = 0, title = width_of(t->cols[c].title, SIZE_MAX), k = 0;
        for (size_t r = 0; r < t->n_rows; r++) cells = qz_max_size(cells, width_of(qz_table_cell(t, r, c), SIZE_MAX));
        if (t->cols[c].align == 'r' && title > cells) k = title_break(t->cols[c].title, cells);
        cols[c] = t->cols[c];
        cols[c].title = k ? qz_arena_strndup(t->arena, t->cols[c].title, k - (t->cols[c].title[k - 1] == ' ')) : "";
        lower[c] = t->cols[c].title + k;
        if (cols[c].title == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        if (k == 0) continue;
        *total -= width[c];
        width[c] = qz_max_size(cells, qz_max_size(width_of(cols[c].title, SIZE_MAX), width_of(lower[c], SIZE_MAX)));
        *total += width[c];
    }
    QZ_TRY(qz_table_init(out, t->arena, t->caption, cols, t->n_cols, err));
    QZ_TRY(qz_table_row(out, err));
    for (size_t c = 0; c < t->n_cols; c++) QZ_TRY(qz_table_set(out, c, err, "%s", lower[c]));
    return QZ_OK;
}

qz_status qz_fit_table(const qz_table *t, qz_table *out, qz_error *err) {
    enum { LEAST = 14, GAP = 2 };
    size_t *width = qz_arena_calloc(t->arena, t->n_cols, sizeof *width), total = 0;
    if (width == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t c = 0; c < t->n_cols; c++) {
        width[c] = width_of(t->cols[c].title, SIZE_MAX);
        for (size_t r = 0; r < t->n_rows; r++) width[c] = qz_max_size(width[c], width_of(qz_table_cell(t, r, c), SIZE_MAX));
        total += width[c] + (c + 1 < t->n_cols ? GAP : 0);
    }
    *out = *t;
    if (total <= QZ_FIT_COLUMNS) return QZ_OK;
    size_t before = total;
    QZ_TRY(break_titles(t, width, &total, out, err));
    if (total == before) QZ_TRY(qz_table_init(out, t->arena, t->caption, t->cols, t->n_cols, err)); /* no title gave way */
    while (total > QZ_FIT_COLUMNS) { /* the widest text column gives way */
        size_t wide = t->n_cols;
        for (size_t c = 0; c < t->n_cols; c++)
            if (t->cols[c].align != 'r' && width[c] > LEAST && (wide == t->n_cols || width[c] > width[wide])) wide = c;
        if (wide == t->n_cols) break;
        width[wide]--;
        total--;
    }
    for (size_t r = 0; r < t->n_rows; r++) QZ_TRY(wrap_row(t, r, width, out, err));
    return QZ_OK;
}
