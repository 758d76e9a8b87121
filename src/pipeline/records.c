#include "pipeline/records.h"
#include "base/io.h"
#include "base/str.h"
#include "calibrate/stats.h"
#include "formats/gguf.h"
#include "formats/imatrix.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

qz_record qz_record_of(const char *path) {
    char head[sizeof QZ_STATS_MAGIC - 1] = {0};
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return QZ_RECORD_NONE; /* a pipe would be waited for */
    FILE *f = fopen(path, "rb");
    if (f == NULL) return QZ_RECORD_NONE;
    const size_t n = fread(head, 1, sizeof head, f);
    (void)fclose(f);
    if (n == sizeof head && memcmp(head, QZ_STATS_MAGIC, n) == 0) return QZ_RECORD_STATS;
    if (n < 4 || memcmp(head, "GGUF", 4) != 0) return qz_str_ends(path, ".dat") ? QZ_RECORD_IMATRIX : QZ_RECORD_NONE;
    qz_gguf g;
    qz_gguf_text type = {0};
    if (qz_gguf_open(&g, path, &(qz_error){0}) != QZ_OK) return QZ_RECORD_NONE;
    (void)qz_gguf_str(&g, "general.type", false, &type, &(qz_error){0});
    const bool imatrix = type.n == 7 && memcmp(type.ptr, "imatrix", 7) == 0;
    qz_gguf_release(&g);
    return imatrix ? QZ_RECORD_IMATRIX : QZ_RECORD_NONE;
}

static qz_status row(qz_table *t, const char *check, const char *detail, qz_error *err) {
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "%s", check));
    QZ_TRY(qz_table_set(t, 1, err, "ok"));
    return qz_table_set(t, 2, err, "%s", detail ? detail : "");
}
static qz_status failed(qz_table *t, const char *check, const char *why, qz_error *err) {
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "%s", check));
    QZ_TRY(qz_table_set(t, 1, err, "FAILED"));
    return qz_table_set(t, 2, err, "%s", why);
}

static bool finite_all(const float *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}
static bool sound(const qz_input_stats *in) {
    return finite_all(in->mean_abs, in->cols) && finite_all(in->max_abs, in->cols) &&
           finite_all(in->gram, in->cols * (in->cols + 1) / 2);
}

static qz_status stats_values(const qz_stats *s, qz_arena *a, qz_table *t, qz_error *err) {
    size_t n = 0;
    for (size_t l = 0; l < s->info.in.layers; l++)
        for (size_t i = s->first[l]; i < s->first[l + 1]; i++, n++) {
            const qz_input_stats in = qz_stats_get(s, l, i - s->first[l]);
            if (in.cols && !sound(&in))
                return failed(t, "values", qz_arena_printf(a, "layer %zu, input %zu: not finite", l, i - s->first[l]),
                              err);
        }
    const qz_input_stats head = qz_stats_head(s);
    if (head.cols && !sound(&head)) return failed(t, "values", "the output matrix's input: not finite", err);
    return row(t, "values", qz_arena_printf(a, "%zu inputs of the layers and the output's are finite", n), err);
}

static qz_status stats_rows(const char *path, bool values, qz_arena *a, qz_table *t, qz_error *err) {
    qz_stats s;
    qz_error why = {0};
    qz_status st = qz_stats_open(&s, path, &why);
    if (st == QZ_EMEMORY || st == QZ_EIO) return qz_fail(err, st, "%s", why.text);
    if (st != QZ_OK) return failed(t, "structure", why.text, err);
    const qz_stats_info *i = &s.info;
    st = row(t, "structure",
             qz_arena_printf(a, "calibration statistics: %llu layers, %zu inputs, %llu windows of %llu, %llu tokens%s",
                             (unsigned long long)i->in.layers, qz_stats_sections(&i->in),
                             (unsigned long long)i->windows, (unsigned long long)i->seq_len,
                             (unsigned long long)i->tokens, i->bos ? ", with BOS" : ""),
             err);
    if (st == QZ_OK)
        st = row(t, "data",
                 qz_arena_printf(a, "%s, sha256 %.16s…, chat template %s", i->data_name ? i->data_name : "",
                                 i->data_sha ? i->data_sha : "", i->chat_template ? i->chat_template : "none"),
                 err);
    if (st == QZ_OK)
        st = row(t, "source", qz_arena_printf(a, "weights of sha256 %.16s…", i->source_sha ? i->source_sha : "unknown"),
                 err);
    if (st == QZ_OK && i->accepted && *i->accepted) st = row(t, "accepted", i->accepted, err);
    if (st == QZ_OK && values) st = stats_values(&s, a, t, err);
    qz_stats_release(&s);
    return st;
}

static qz_status imatrix_rows(const char *path, qz_arena *a, qz_table *t, qz_error *err) {
    qz_imatrix im;
    qz_error why = {0};
    qz_status st = qz_imatrix_open(&im, path, &why);
    if (st == QZ_EMEMORY || st == QZ_EIO) return qz_fail(err, st, "%s", why.text);
    if (st != QZ_OK) return failed(t, "structure", why.text, err);
    char size[32] = "";
    if (im.chunk_size) (void)snprintf(size, sizeof size, " of %u tokens", im.chunk_size);
    st = row(t, "structure",
             qz_arena_printf(a, "importance matrix (%s): %zu entries, %u chunks%s", im.chunk_size ? "GGUF" : ".dat",
                             im.n, im.chunk_count, size), err);
    for (size_t i = 0; i < im.n_datasets && st == QZ_OK; i++)
        st = row(t, "data", qz_arena_strdup(a, im.datasets[i]), err);
    if (st == QZ_OK) st = row(t, "values", "every value is finite, every count at least 0", err);
    qz_imatrix_release(&im);
    return st;
}

qz_status qz_record_table(const char *path, qz_record kind, bool values, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"check", 'l'}, {"result", 'l'}, {"detail", 'l'}};
    QZ_TRY(qz_table_init(t, a, "verification", cols, 3, err));
    QZ_TRY(kind == QZ_RECORD_STATS ? stats_rows(path, values, a, t, err) : imatrix_rows(path, a, t, err));
    for (size_t r = 0; r < t->n_rows; r++) {
        const char *result = qz_table_cell(t, r, 1);
        if (result && strcmp(result, "FAILED") == 0)
            return qz_fail(err, QZ_ECHECK, "verification of '%s' failed", path);
    }
    return QZ_OK;
}
