/* For tests that write artifacts: feeds a writer from a model with the reference encoders and round to nearest, writes
 * whole artifacts, and changes files that were written. Everything that fails ends the test with the error's text. */
#ifndef QZ_ARTIFACTS_TESTING_H
#define QZ_ARTIFACTS_TESTING_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "codecs/int_group.h"
#include "artifacts/artifacts_int.h"
#include "artifacts/schemes.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/imatrix.h"

#define OK(expr)                                          \
    do {                                                  \
        qz_error e_ = {0}, *err = &e_;                    \
        if ((expr) != QZ_OK) fail_msg("%s", e_.text);     \
        (void)err;                                        \
    } while (0)

/* ---- feeding a writer ---- */

/* Round to nearest; with act_order the groups are made of columns that do not stand side by side. */
static inline qz_status put_int_group(qz_artifact_writer *w, const qz_artifact_item *it, const float *x,
                                      qz_error *err) {
    size_t groups = it->cols / it->group_size;
    bool act = it->act_order;
    uint8_t *codes = qz_alloc_array(it->rows, it->cols), *zeros = qz_alloc_array(it->rows, groups),
            *in_order = qz_alloc_array(it->cols, 1);
    float *scales = qz_alloc_array(it->rows * groups, sizeof *scales), *row = qz_alloc_array(it->cols, sizeof *row);
    uint32_t *g_idx = qz_alloc_array(it->cols, sizeof *g_idx);
    size_t *at = qz_alloc_array(it->cols, sizeof *at);
    for (size_t k = 0; k < it->cols; k++) { /* column at[k] stands at place k; 11 is prime to every width of the zoo */
        at[k] = act ? (k * 11 + 5) % it->cols : k;
        g_idx[at[k]] = (uint32_t)(k / it->group_size);
    }
    for (size_t r = 0; r < it->rows; r++) {
        for (size_t k = 0; k < it->cols; k++) row[k] = x[r * it->cols + at[k]];
        qz_int_group_rtn_row(row, it->cols, it->group_size, it->bits, it->sym,
                             (qz_int_row){in_order, scales + r * groups, zeros + r * groups});
        for (size_t k = 0; k < it->cols; k++) codes[r * it->cols + at[k]] = in_order[k];
    }
    const qz_int_codes c = { .base = { &qz_int_codes_ops, it->rows, it->cols }, .codes = codes, .scales = scales,
                             .zero_points = zeros, .g_idx = act ? g_idx : NULL,
                             .bits = it->bits, .group_size = it->group_size };
    qz_quantized q = { .name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols, .coded = &c.base };
    qz_status st = qz_artifact_writer_put(w, &q, err);
    void *all[] = { codes, zeros, in_order, scales, row, g_idx, at };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) qz_free(all[i]);
    return st;
}

static inline qz_status put_block_rows(qz_artifact_writer *w, const qz_artifact_item *it, const float *x,
                                       const float *importance, qz_error *err) {
    size_t row_bytes = 0, step = it->permute == QZ_PERMUTE_NONE ? 7 : it->rows; /* unpermuted tensors come in pieces */
    QZ_TRY(qz_row_bytes(it->type, it->cols, &row_bytes, err));
    uint8_t *blocks = qz_alloc_array(it->rows, row_bytes);
    qz_status st = QZ_OK;
    for (size_t r = 0; r < it->rows; r++)
        qz_type_get(it->type)->encode(x + r * it->cols, importance, it->cols, blocks + r * row_bytes);
    for (size_t r = 0; r < it->rows && st == QZ_OK; r += step) {
        size_t n = qz_min_size(step, it->rows - r);
        qz_quantized q = { .name = it->name, .type = it->type, .rows = n, .cols = it->cols,
                           .blocks = blocks + r * row_bytes, .bytes = n * row_bytes };
        st = qz_artifact_writer_put(w, &q, err);
    }
    qz_free(blocks);
    return st;
}

static inline qz_status put_bnb(qz_artifact_writer *w, const qz_artifact_item *it, const float *x, qz_error *err) {
    qz_arena a = {0};
    qz_bnb b;
    qz_quantized q = { .name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols, .coded = &b.base };
    const qz_bnb_setting how = {w->plan->spec.bnb, w->plan->spec.nested, it->source->type, it->rows, it->cols};
    qz_status st = qz_bnb_quantize(NULL, &how, x, &a, &b, err);
    if (st == QZ_OK) st = qz_artifact_writer_put(w, &q, err);
    qz_arena_release(&a);
    return st;
}

/* By the scheme's own rule. */
static inline qz_status put_rounded(qz_artifact_writer *w, const qz_artifact_item *it, const float *x, qz_error *err) {
    qz_arena a = {0};
    qz_quantized q = { .name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols };
    qz_status st = qz_artifact_round(NULL, w->plan, it, x, &a, &q.coded, err);
    if (st == QZ_OK) st = qz_artifact_writer_put(w, &q, err);
    qz_arena_release(&a);
    return st;
}

static inline qz_status put_encoded(qz_artifact_writer *w, const qz_artifact_item *it, const qz_imatrix *im,
                                    qz_error *err) {
    float *x = qz_alloc_array(it->rows * it->cols, sizeof *x), *imp = NULL;
    qz_status st = QZ_OK;
    qz_tensor_decode(it->source, 0, it->rows, x);
    if (im && it->importance_matters) {
        imp = qz_alloc_array(it->cols, sizeof *imp);
        st = qz_imatrix_weights(im, it->out_name, it->cols, imp, err);
    }
    if (st == QZ_OK)
        st = it->type != QZ_TYPE_CODED               ? put_block_rows(w, it, x, imp, err)
             : w->plan->spec.scheme == QZ_SCHEME_BNB ? put_bnb(w, it, x, err)
             : w->plan->spec.scheme == QZ_SCHEME_AWQ || w->plan->spec.scheme == QZ_SCHEME_GPTQ
                 ? put_int_group(w, it, x, err)
                 : put_rounded(w, it, x, err);
    qz_free(imp);
    qz_free(x);
    return st;
}

/* Puts items until `until` are complete; im may be NULL. */
static inline qz_status feed_weighted(qz_artifact_writer *w, size_t until, const qz_imatrix *im, qz_error *err) {
    while (qz_artifact_writer_next(w) < until) {
        const qz_artifact_item *it = &w->plan->items[qz_artifact_writer_next(w)];
        bool plain = it->type < QZ_TYPE_COUNT && qz_type_get(it->type)->kind == QZ_KIND_FLOAT;
        QZ_TRY(plain ? qz_artifact_writer_put_view(w, it->source, err) : put_encoded(w, it, im, err));
    }
    return QZ_OK;
}
static inline qz_status feed(qz_artifact_writer *w, size_t until, qz_error *err) {
    return feed_weighted(w, until, NULL, err);
}

/* ---- whole artifacts ---- */
/* As a calibration would leave the plan whose files hold scales of inputs. */
static inline void as_calibrated(const qz_artifact_plan *plan) {
    for (size_t i = 0; i < plan->n_items; i++) plan->items[i].input_amax = 1.5f + (float)(i % 7);
}
/* path is replaced. im may be NULL. */
static inline void write_plan(const qz_artifact_plan *plan, const qz_imatrix *im, const char *path) {
    qz_artifact_writer *w;
    OK(qz_artifact_writer_open(NULL, plan, path, QZ_WRITE_FORCE, &w, err));
    OK(feed_weighted(w, plan->n_items, im, err));
    OK(qz_artifact_writer_commit(w, err));
    qz_artifact_writer_free(w);
}
/* floats: the checkpoint whose config.json a folder carries over. Returns the number of notes. */
static inline size_t write_artifact(const qz_model *m, const qz_scheme_spec *spec, const char *floats,
                                    const char *path) {
    qz_arena a = {0};
    qz_artifact_plan plan;
    qz_artifact_context ctx = { .source_dir = floats };
    OK(qz_artifact_plan_make(NULL, m, spec, &ctx, &a, &plan, err));
    as_calibrated(&plan);
    write_plan(&plan, NULL, path);
    size_t notes = plan.n_notes;
    qz_arena_release(&a);
    return notes;
}
/* source: a checkpoint or an artifact. */
static inline size_t convert_to(const char *source, const char *floats, const char *scheme, const char *path) {
    qz_model *m;
    qz_scheme_spec spec;
    OK(qz_artifact_open(NULL, source, &m, err));
    OK(qz_scheme_parse(scheme, &spec, err));
    size_t notes = write_artifact(m, &spec, floats, path);
    qz_model_free(m);
    return notes;
}
static inline void convert(const char *checkpoint, const char *scheme, const char *path) {
    (void)convert_to(checkpoint, checkpoint, scheme, path);
}

/* ---- changing what was written ---- */
/* The first `from` in a text file of the folder becomes `to`. */
static inline void replace_text(const char *folder, const char *name, const char *from, const char *to) {
    char path[256], *text, *at;
    size_t n;
    qz_str s = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    OK(qz_read_file(path, 1 << 20, &text, &n, err));
    at = strstr(text, from);
    if (!at) fail_msg("%s: no %s", name, from);
    qz_str_append(&s, text, (size_t)(at - text));
    qz_str_puts(&s, to);
    qz_str_puts(&s, at + strlen(from));
    OK(qz_write_file(path, s.ptr, s.len, err));
    qz_str_release(&s);
    qz_free(text);
}

/* May change name, type and dimensions (first call, data NULL) and the bytes (second call). */
typedef void edit_tensor(const void *arg, qz_st_item *item, uint8_t *data, size_t bytes);
/* The weights of the folder once more, edited, under the name given. */
static inline void edit_weights(const char *folder, const char *name, edit_tensor *edit, const void *arg) {
    char path[256], to[256];
    qz_st st;
    qz_st_writer w;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    snprintf(to, sizeof to, "%s/%s", folder, name);
    OK(qz_st_open(&st, path, err));
    qz_st_item *items = qz_calloc_array(st.n, sizeof *items);
    for (size_t i = 0; i < st.n; i++) {
        const qz_st_tensor *t = &st.tensors[i];
        items[i] = (qz_st_item){ t->name, t->dtype, t->n_dims, { t->dims[0], t->dims[1] } };
        edit(arg, &items[i], NULL, 0);
    }
    OK(qz_st_writer_open(&w, to, &(qz_st_plan){items, st.n, NULL, 0}, err));
    for (size_t i = 0; i < st.n; i++) {
        const qz_st_tensor *t = &st.tensors[i];
        qz_st_item as_was = { .name = t->name };
        uint8_t *copy = qz_alloc_array((size_t)t->bytes, 1);
        memcpy(copy, t->data, (size_t)t->bytes);
        edit(arg, &as_was, copy, (size_t)t->bytes);
        OK(qz_st_writer_write(&w, copy, (size_t)t->bytes, err));
        qz_free(copy);
    }
    OK(qz_st_writer_commit(&w, NULL, err));
    qz_st_release(&st);
    qz_free(items);
    if (strcmp(path, to)) assert_int_equal(remove(path), 0);
}

/* Opens what was changed: it must be refused before any work with the fragment in the text, or, without one, be
 * accepted. *e (may be NULL): the error. */
static inline void open_lie(const char *what, const char *path, const char *fragment, qz_error *e) {
    qz_model *m = NULL;
    qz_error own = {0};
    qz_status st = qz_artifact_open(NULL, path, &m, &own);
    if (st == QZ_OK) qz_model_free(m);
    if (st == QZ_OK && fragment) fail_msg("%s: accepted, expected '%s'", what, fragment);
    bool refused = st == QZ_EFORMAT || st == QZ_EUNSUPPORTED;
    if (st != QZ_OK && (!fragment || !refused || !strstr(own.text, fragment))) fail_msg("%s: %s", what, own.text);
    if (e) *e = own;
}
/* A single-file artifact and its manifest. */
static inline int remove_file_artifact(const char *path) {
    char manifest[256];
    snprintf(manifest, sizeof manifest, "%s.manifest.json", path);
    (void)remove(manifest);
    return remove(path);
}

/* ---- golden tensors, named "set.name" ---- */
static inline const qz_st_tensor *golden_tensor(const qz_st *golden, const char *set, const char *name) {
    char full[128];
    snprintf(full, sizeof full, "%s.%s", set, name);
    const qz_st_tensor *t = qz_st_find(golden, full);
    if (!t) fail_msg("no tensor %s", full);
    return t;
}
#endif
