#include "report/table_print.h"
#include "base/json.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Columns on the terminal: UTF-8 continuation bytes take none. */
static size_t width_of(const char *s) {
    size_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}
static void pad(qz_str *out, size_t n) {
    while (n--) qz_str_putc(out, ' ');
}
static size_t column_width(const qz_table *t, size_t c) {
    size_t w = width_of(t->cols[c].title);
    for (size_t r = 0; r < t->n_rows; r++) {
        size_t n = width_of(qz_table_cell(t, r, c));
        w = n > w ? n : w;
    }
    return w;
}
enum { TERMINAL = 100 }; /* columns; wider tables get one space between columns instead of two */

static void line(const qz_table *t, const char *text, size_t c, size_t w, size_t gap, qz_str *out) {
    size_t n = width_of(text);
    if (t->cols[c].align == 'r') pad(out, w - n);
    qz_str_puts(out, text);
    if (t->cols[c].align != 'r' && c + 1 < t->n_cols) pad(out, w - n);
    if (c + 1 < t->n_cols) pad(out, gap);
}
void qz_table_text(const qz_table *t, qz_str *out) {
    size_t total = 0;
    for (size_t c = 0; c < t->n_cols; c++) total += column_width(t, c) + 2;
    size_t gap = total > TERMINAL + 2 ? 1 : 2;
    if (t->caption) qz_str_printf(out, "%s\n", t->caption);
    for (size_t r = 0; r <= t->n_rows; r++) {
        for (size_t c = 0; c < t->n_cols; c++)
            line(t, r == 0 ? t->cols[c].title : qz_table_cell(t, r - 1, c), c, column_width(t, c), gap, out);
        qz_str_putc(out, '\n');
    }
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

static bool plain_number(const char *s) {
    if (*s == '-') s++;
    if (!isdigit((unsigned char)*s) || (s[0] == '0' && isdigit((unsigned char)s[1]))) return false;
    while (isdigit((unsigned char)*s)) s++;
    if (*s == '.') {
        s++;
        if (!isdigit((unsigned char)*s)) return false;
        while (isdigit((unsigned char)*s)) s++;
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
void qz_table_json(const qz_table *t, qz_str *out) {
    qz_str_puts(out, "{\"rows\":[");
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
    qz_str_puts(out, "\n]}\n");
}

qz_status qz_show(const qz_str *s, qz_error *err) {
    if (s->failed) return qz_fail(err, QZ_EMEMORY, "out of memory printing results");
    if (s->len && fwrite(s->ptr, 1, s->len, stdout) != s->len) return qz_fail(err, QZ_EIO, "cannot write to standard output");
    return QZ_OK;
}
qz_status qz_table_show(const qz_table *t, bool json, qz_error *err) {
    qz_str s = {0};
    if (json) qz_table_json(t, &s);
    else qz_table_text(t, &s);
    qz_status st = qz_show(&s, err);
    qz_str_release(&s);
    return st;
}
const char *qz_size_text(char buf[48], uint64_t bytes) {
    if (bytes < 100000000u) (void)snprintf(buf, 48, "%.2f MB / %.2f MiB", (double)bytes / 1e6, (double)bytes / 1048576.0);
    else (void)snprintf(buf, 48, "%.2f GB / %.2f GiB", (double)bytes / 1e9, (double)bytes / 1073741824.0);
    return buf;
}
