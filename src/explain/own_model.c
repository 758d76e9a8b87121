/* `explain granularity --model M` and `explain levels --model M`: the tables of the two topics on the user's model. */
#include "artifacts/source.h"
#include "base/size.h"
#include "codecs/int_group.h"
#include "explain/explain.h"
#include "model/sites.h"
#include "plan/levels.h"
#include <string.h>

enum { ROWS = 256 };
static const struct { const char *name; size_t group; } kinds[] = { /* group 0: all rows, 1: one row */
    {"tensor", 0}, {"row", 1}, {"group 128", 128}, {"group 64", 64}, {"group 32", 32}};
enum { KINDS = sizeof kinds / sizeof *kinds };
typedef struct { double error[KINDS], power, bits[KINDS], weights; size_t taken, left; bool cut; } sums;

/* Rounding of w [n] in groups, 4 bits and integer zero points. */
static bool round_all(const float *w, size_t n, size_t group, double *error) {
    uint8_t *codes = qz_alloc_array(n, 1), *zeros = qz_alloc_array(n / group, 1);
    float *scales = qz_alloc_array(n / group, sizeof *scales);
    const bool ok = codes && zeros && scales;
    if (ok) qz_int_group_rtn_row(w, n, group, 4, false, (qz_int_row){codes, scales, zeros});
    for (size_t i = 0; ok && i < n; i++) {
        const double d = (double)w[i] - (double)((float)((int)codes[i] - zeros[i / group]) * scales[i / group]);
        *error += d * d;
    }
    qz_free(codes);
    qz_free(zeros);
    qz_free(scales);
    return ok;
}

static qz_status add_tensor(qz_explained *x, const qz_tensor_view *t, sums *s) {
    const size_t rows = qz_min_size(t->rows, ROWS), n = rows * t->cols;
    if (t->cols % 128) {
        s->left++;
        return QZ_OK;
    }
    float *w = qz_alloc_array(n, sizeof *w);
    bool ok = w != NULL;
    for (size_t r = 0; ok && r < rows; r++) qz_tensor_decode(t, r * t->rows / rows, 1, w + r * t->cols);
    for (size_t k = 0; ok && k < KINDS; k++) {
        const size_t group = kinds[k].group == 0 ? n : kinds[k].group == 1 ? t->cols : kinds[k].group;
        const size_t whole = kinds[k].group == 0 ? (size_t)t->rows * t->cols : group;
        ok = round_all(w, n, group, &s->error[k]);
        s->bits[k] += (double)n * (4 + 20.0 / (double)whole);
    }
    for (size_t i = 0; ok && i < n; i++) s->power += (double)w[i] * (double)w[i];
    s->weights += (double)n;
    s->cut |= rows < t->rows;
    s->taken++;
    qz_free(w);
    qz_tensor_forget(t);
    return ok ? QZ_OK : qz_fail(x->err, QZ_EMEMORY, "out of memory for '%s'", t->name);
}

/* Every linear of every block, once. */
static qz_status add_all(qz_explained *x, const qz_model *m, sums *s) {
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t k = 0; k < QZ_LINEARS; k++) {
            qz_site site;
            if (!qz_site_of(&m->config, l, k, &site)) continue;
            for (size_t e = 0; e < qz_max_size(1, site.experts); e++) {
                const qz_tensor_view *t = qz_block_linear(&m->blocks[l], k, site.experts ? (long)e : -1);
                if (t) QZ_TRY(add_tensor(x, t, s));
            }
            qz_progress_step(x->run, "rounding", l + 1, m->config.layers, "layers");
        }
    return QZ_OK;
}

qz_status qz_explain_own_granularity(qz_explained *x) {
    qz_source s = {0};
    sums all = {0};
    QZ_TRY(qz_source_open(x->run, x->o.model, &s, x->err));
    qz_progress_begin(x->run);
    qz_status st = add_all(x, s.model, &all);
    qz_progress_end(x->run);
    if (st == QZ_OK && all.taken == 0)
        st = qz_fail(x->err, QZ_EUNSUPPORTED,
                     "model '%s' has no linear whose columns are a multiple of 128: expected one", x->o.model);
    if (st == QZ_OK) {
        qz_explain_say(x, "%s: %zu linears of its blocks rounded to 4 bits, integer zero points%s", s.name, all.taken,
                       all.cut ? "; of each at most 256 rows at equal distances" : "");
        if (all.left)
            qz_explain_say(x, "left out: %zu linear%s whose columns are no multiple of 128", all.left,
                           qz_plural(all.left));
        st = qz_explain_table(x, s.name, "Scale per<|Error, share of the energy>|Against tensor>|Bits/weight>");
    }
    for (size_t k = 0; k < KINDS && st == QZ_OK; k++)
        st = qz_explain_row(x, "%s|%.4e|%.1fx lower|%.5f", kinds[k].name, all.error[k] / all.power,
                            all.error[0] / all.error[k], all.bits[k] / all.weights);
    qz_source_release(&s);
    return st;
}

qz_status qz_explain_own_levels(qz_explained *x) {
    static const char *const names[] = {"Q2_K", "Q3_K_S", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "awq", "gptq", "bf16"};
    qz_source s = {0};
    qz_shape *shape = NULL;
    QZ_TRY(qz_source_open(x->run, x->o.model, &s, x->err));
    qz_status st = qz_shape_from_model(s.model, s.name, &shape, x->err);
    if (st == QZ_OK)
        st = qz_explain_table(x, s.name, "Level<|Bits/weight>|MB>|Of these the embedding and head MB>|Note<");
    for (size_t i = 0; i < sizeof names / sizeof *names && st == QZ_OK; i++) {
        qz_level l;
        qz_weighed w = {0};
        qz_error why = {0};
        st = qz_level_parse(names[i], &l, x->err);
        if (st != QZ_OK) break;
        if (qz_level_weigh(shape, l, false, NULL, &w, &why) != QZ_OK)
            st = qz_explain_row(x, "%s||||%s", names[i], why.text);
        else
            st = qz_explain_row(x, "%s|%.3f|%.3f|%.3f|%s", names[i], w.bpw, (double)w.bytes / 1e6,
                                (double)(w.head_bytes + w.embed_bytes) / 1e6,
                                w.n_substituted ? "rows that do not divide: other types" : "");
    }
    qz_shape_free(shape);
    qz_source_release(&s);
    return st;
}
