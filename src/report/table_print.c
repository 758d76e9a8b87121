#include "report/table_print.h"
#include "base/json.h"
#include "base/size.h"
#include "report/fit.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void pad(qz_str *out, size_t n) {
    while (n--) qz_str_putc(out, ' ');
}

/* ---- a table for the terminal ----
 * Columns get what their cells need. Where the line is too long, titles above numbers break, then the widest text cells
 * go on in further lines: at blanks; if that is not enough at '/' and '.', then at other signs. A number is never cut.
 * A table that no cut makes fit is printed row by row, a line for each column. */
enum { AT_BLANKS, AT_POINTS, AT_SIGNS, LEVELS, LEAST = 14 };
typedef struct { const qz_table *t; size_t *width, *least, gap; } layout;

static bool digit(char c) { return isdigit((unsigned char)c) != 0; }
/* May a line end behind s[i]? Not inside a number, nor before its "%". */
static bool breaks(const char *s, size_t i, int level) {
    if (s[i + 1] == 0 || s[i + 1] == ' ') return s[i + 1] == 0 || s[i + 2] != '%';
    if (level == AT_BLANKS || i == 0 || s[i] == 0 || (digit(s[i - 1]) && digit(s[i + 1]))) return false;
    return strchr(level == AT_POINTS ? "./" : "./-_+=:,;", s[i]) != NULL;
}
/* Bytes of the first line when s is cut to `width` columns: at blanks if any is near enough, else at the
 * best other place. */
static size_t line_bytes(const char *s, size_t width) {
    for (int level = AT_BLANKS; level < LEVELS; level++) {
        size_t best = 0;
        for (size_t i = 0; s[i] && qz_width(s, i + 1) <= width; i++)
            if (breaks(s, i, level)) best = i + 1;
        if (best) return best;
    }
    for (size_t i = 0; s[i]; i++)
        if (breaks(s, i, AT_SIGNS)) return i + 1;
    return strlen(s);
}
/* Columns of the longest piece of s that stays whole. */
static size_t longest_piece(const char *s, int level) {
    size_t most = 0, from = 0;
    for (size_t i = 0; s[i]; i++) {
        if (!breaks(s, i, level)) continue;
        most = qz_max_size(most, qz_width(s + from, i + 1 - from));
        from = i + 1 + strspn(s + i + 1, " ");
        i = from - 1;
    }
    return most;
}
static size_t column_width(const qz_table *t, size_t c, bool title) {
    size_t w = title ? qz_width(t->cols[c].title, SIZE_MAX) : 0;
    for (size_t r = 0; r < t->n_rows; r++) w = qz_max_size(w, qz_width(qz_table_cell(t, r, c), SIZE_MAX));
    return w;
}
/* Where a title above numbers breaks so that both lines are short. */
static size_t title_width(const char *title, size_t cells) {
    size_t cost = qz_max_size(cells, qz_width(title, SIZE_MAX));
    for (size_t i = 0; title[i]; i++) {
        if (!breaks(title, i, AT_SIGNS)) continue;
        const size_t upper = qz_width(title, i + 1), lower = qz_width(title + i + 1 + (title[i + 1] == ' '), SIZE_MAX);
        cost = qz_min_size(cost, qz_max_size(cells, qz_max_size(upper, lower)));
    }
    return cost;
}
static size_t least_width(const qz_table *t, size_t c, int level) {
    const size_t hang = c == 0 ? 2 : 0; /* continuation lines of the first column stand in a little */
    size_t w = longest_piece(t->cols[c].title, level);
    if (t->cols[c].align == 'r') return qz_max_size(w, column_width(t, c, false));
    for (size_t r = 0; r < t->n_rows; r++) {
        const char *s = qz_table_cell(t, r, c);
        const size_t piece = longest_piece(s, level);
        w = qz_max_size(w, piece + (piece < qz_width(s, SIZE_MAX) ? hang : 0));
    }
    return level == AT_BLANKS ? qz_max_size(w, qz_min_size(LEAST, column_width(t, c, true))) : w;
}
static size_t total_of(const layout *l) {
    size_t n = l->t->n_cols ? l->gap * (l->t->n_cols - 1) : 0;
    for (size_t c = 0; c < l->t->n_cols; c++) n += l->width[c];
    return n;
}
/* Narrows columns until the table fits; false if it cannot at this level. */
static bool narrow(layout *l, int level, size_t columns) {
    const qz_table *t = l->t;
    for (size_t c = 0; c < t->n_cols; c++) {
        l->width[c] = column_width(t, c, true);
        l->least[c] = least_width(t, c, level);
    }
    if (total_of(l) <= columns) return true;
    for (size_t c = 0; c < t->n_cols; c++)
        if (t->cols[c].align == 'r') l->width[c] = title_width(t->cols[c].title, column_width(t, c, false));
    for (size_t total = total_of(l); total > columns; total--) {
        size_t wide = t->n_cols;
        for (size_t c = 0; c < t->n_cols; c++)
            if (l->width[c] > l->least[c] && (wide == t->n_cols || l->width[c] > l->width[wide])) wide = c;
        if (wide == t->n_cols) return false;
        l->width[wide]--;
    }
    return true;
}
/* Lines of a cell, or of a title; out gets number `line` of them (NULL: counts only). */
static size_t cell_line(const layout *l, const char *s, size_t c, size_t line, bool title, const char **out,
                        size_t *bytes) {
    size_t n = 0;
    while (*s) {
        const size_t hang = n && c == 0 && !title ? 2 : 0, w = l->width[c] > hang ? l->width[c] - hang : 1;
        const size_t k = !title && l->t->cols[c].align == 'r' ? strlen(s) : line_bytes(s, w);
        if (n == line && out) *out = s, *bytes = k;
        n++;
        s += k;
        s += strspn(s, " ");
    }
    return n;
}
static void put_line(const layout *l, const char *text, size_t bytes, size_t c, bool hang, qz_str *out) {
    const size_t n = qz_width(text, bytes) + (hang ? 2 : 0), w = l->width[c];
    const bool right = l->t->cols[c].align == 'r', last = c + 1 == l->t->n_cols;
    if (right && n < w) pad(out, w - n);
    if (hang) pad(out, 2);
    qz_str_append(out, text, bytes);
    if (!right && !last && n < w) pad(out, w - n);
    if (!last) pad(out, l->gap);
}
/* Row r on as many lines as it needs; r == n_rows: the titles, which stand low. */
static void put_row(const layout *l, size_t r, qz_str *out) {
    const qz_table *t = l->t;
    const bool title = r == t->n_rows;
    size_t lines = 1;
    for (size_t c = 0; c < t->n_cols; c++) {
        const char *cell = title ? t->cols[c].title : qz_table_cell(t, r, c);
        lines = qz_max_size(lines, cell_line(l, cell, c, 0, title, NULL, NULL));
    }
    for (size_t i = 0; i < lines; i++) {
        for (size_t c = 0; c < t->n_cols; c++) {
            const char *cell = title ? t->cols[c].title : qz_table_cell(t, r, c), *text = "";
            size_t bytes = 0;
            const size_t n = cell_line(l, cell, c, 0, title, NULL, NULL), low = title ? lines - n : 0;
            if (i >= low && i - low < n) (void)cell_line(l, cell, c, i - low, title, &text, &bytes);
            put_line(l, text, bytes, c, i > 0 && bytes && c == 0 && !title, out);
        }
        while (out->len && out->ptr[out->len - 1] == ' ') out->ptr[--out->len] = 0;
        qz_str_putc(out, '\n');
    }
}
/* A row as "title  value" lines below its first cell; empty cells are left out. */
static void put_record(const qz_table *t, size_t r, size_t label, qz_str *out) {
    qz_fit_line(out, qz_table_cell(t, r, 0), 2);
    for (size_t c = 1; c < t->n_cols; c++) {
        const char *title = t->cols[c].title, *cell = qz_table_cell(t, r, c);
        if (*cell)
            qz_fit_printf(out, label + 2, "  %s%*s  %s", title, (int)(label - qz_width(title, SIZE_MAX)), "", cell);
    }
}
static void put_records(const qz_table *t, qz_str *out) {
    size_t label = 0;
    for (size_t c = 1; c < t->n_cols; c++) label = qz_max_size(label, qz_width(t->cols[c].title, SIZE_MAX));
    for (size_t r = 0; r < t->n_rows; r++) put_record(t, r, label, out);
}

void qz_table_text(const qz_table *t, qz_str *out) {
    const size_t columns = qz_columns();
    layout l = {t, qz_calloc_array(2 * t->n_cols + 1, sizeof *l.width), NULL, 2};
    if (l.width == NULL) {
        out->failed = true;
        return;
    }
    l.least = l.width + t->n_cols;
    bool fits = false;
    for (int level = AT_BLANKS; level < LEVELS && !fits; level++)
        for (l.gap = 2; l.gap && !fits; l.gap -= !fits) fits = narrow(&l, level, columns);
    l.gap += l.gap == 0;
    if (t->caption) qz_str_printf(out, "%s\n", t->caption);
    if (!fits && t->n_rows) put_records(t, out);
    else put_row(&l, t->n_rows, out);
    for (size_t r = 0; r < t->n_rows && fits; r++) put_row(&l, r, out);
    qz_free(l.width);
}

static void md_cell(const char *s, qz_str *out) {
    qz_str_putc(out, ' ');
    for (; *s; s++) {
        if (*s == '|') qz_str_putc(out, '\\');
        qz_str_putc(out, *s == '\n' ? ' ' : *s);
    }
    qz_str_puts(out, " |");
}
void qz_table_markdown(const qz_table *t, qz_str *out) {
    if (t->caption) qz_str_printf(out, "%s\n\n", t->caption);
    qz_str_putc(out, '|');
    for (size_t c = 0; c < t->n_cols; c++) md_cell(t->cols[c].title, out);
    qz_str_puts(out, "\n|");
    for (size_t c = 0; c < t->n_cols; c++) qz_str_puts(out, t->cols[c].align == 'r' ? "---:|" : "---|");
    for (size_t r = 0; r < t->n_rows; r++) {
        qz_str_puts(out, "\n|");
        for (size_t c = 0; c < t->n_cols; c++) md_cell(qz_table_cell(t, r, c), out);
    }
    qz_str_putc(out, '\n');
}

static const char *digits(const char *s) {
    while (isdigit((unsigned char)*s)) s++;
    return s;
}
/* A number as JSON spells it, exponent too. */
static bool plain_number(const char *s) {
    if (*s == '-') s++;
    if (!isdigit((unsigned char)*s) || (s[0] == '0' && isdigit((unsigned char)s[1]))) return false;
    s = digits(s);
    if (*s == '.') {
        if (!isdigit((unsigned char)s[1])) return false;
        s = digits(s + 1);
    }
    if (*s == 'e') {
        s += 1 + (s[1] == '-' || s[1] == '+');
        if (!isdigit((unsigned char)*s)) return false;
        s = digits(s);
    }
    return *s == 0;
}
static void key_of(const char *title, qz_str *out) {
    qz_str_putc(out, '"');
    bool gap = false, any = false;
    for (; *title; title++) {
        if (isalnum((unsigned char)*title)) {
            if (gap && any) qz_str_putc(out, '_');
            qz_str_putc(out, (char)tolower((unsigned char)*title));
            any = true;
            gap = false;
        } else {
            gap = true;
            if (*title == '%') qz_str_puts(out, any ? "_pct" : "pct"), any = true;
        }
    }
    qz_str_puts(out, "\":");
}
static void put_rows(const qz_table *t, qz_str *out) {
    qz_str_puts(out, "[");
    for (size_t r = 0; r < t->n_rows; r++) {
        qz_str_puts(out, r ? ",\n{" : "\n{");
        for (size_t c = 0; c < t->n_cols; c++) {
            const char *v = qz_table_cell(t, r, c);
            if (c) qz_str_putc(out, ',');
            key_of(t->cols[c].title, out);
            if (plain_number(v)) qz_str_puts(out, v);
            else if (*v == 0) qz_str_puts(out, "null");
            else qz_json_quote(out, v, strlen(v));
        }
        qz_str_putc(out, '}');
    }
    qz_str_puts(out, "\n]");
}
void qz_table_json(const qz_table *t, qz_str *out) {
    qz_str_putc(out, '{');
    if (t->caption) {
        qz_str_puts(out, "\"caption\":");
        qz_json_quote(out, t->caption, strlen(t->caption));
        qz_str_putc(out, ',');
    }
    qz_str_puts(out, "\"rows\":");
    put_rows(t, out);
    qz_str_puts(out, "}\n");
}
void qz_table_rows(const qz_table *t, qz_json_writer *w) {
    qz_jw_key(w, "rows");
    put_rows(t, w->out);
}
void qz_table_answer(const qz_table *t, qz_str *out) {
    qz_json_writer w;
    qz_jw_begin(&w, out);
    qz_table_rows(t, &w);
    qz_jw_end(&w);
}

qz_status qz_show(const qz_str *s, qz_error *err) {
    if (s->failed) return qz_fail(err, QZ_EMEMORY, "out of memory printing results");
    if (s->len && fwrite(s->ptr, 1, s->len, stdout) != s->len)
        return qz_fail(err, QZ_EIO, "cannot write to standard output");
    return QZ_OK;
}
qz_status qz_show_text(const qz_str *s, qz_error *err) {
    qz_str fit = {.failed = s->failed};
    if (s->ptr) qz_fit_text(&fit, s->ptr);
    for (size_t i = 0; i < fit.len; i++) /* names of files and models are anybody's: no word steers the terminal */
        if (((unsigned char)fit.ptr[i] < 0x20 && fit.ptr[i] != '\n' && fit.ptr[i] != '\t') || fit.ptr[i] == 0x7f)
            fit.ptr[i] = '?';
    qz_status st = qz_show(&fit, err);
    qz_str_release(&fit);
    return st;
}
qz_status qz_table_show(const qz_table *t, bool json, qz_error *err) {
    qz_str s = {0};
    if (json) qz_table_answer(t, &s);
    else qz_table_text(t, &s);
    qz_status st = json ? qz_show(&s, err) : qz_show_text(&s, err);
    qz_str_release(&s);
    return st;
}
const char *qz_size_text(char buf[48], uint64_t bytes) {
    if (bytes < 100000000u)
        (void)snprintf(buf, 48, "%.2f MB / %.2f MiB", (double)bytes / 1e6, (double)bytes / 1048576.0);
    else (void)snprintf(buf, 48, "%.2f GB / %.2f GiB", (double)bytes / 1e9, (double)bytes / 1073741824.0);
    return buf;
}
