/* What experts lose on tokens that their codes have not seen: error of every linear's output (gate, up, down of all
 * experts of the zoo's qwen3_moe-sparse, 4 bits in groups of 32) over many other tokens, mean of three calibration
 * draws. Codes under matrices that moved towards what more tokens show must lose far less where tokens are few, less
 * than plain rounding or nearly so, and not more where there are many. Truth: the outputs themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"
#include "codecs/int_group.h"
#include "engine/engine.h"
#include "methods/expert_gram.h"
#include "methods/gptq.h"
#include "methods/int_grid.h"
#include "model/kinds.h"

enum { DRAWS = 3, EXPERTS = 8, INPUTS = 2, SEQ = 32, MOST = 64 * SEQ, HELD = 96 * SEQ };
static qz_error err;
static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}

typedef struct { double *g; uint64_t n; size_t cols; } moments; /* sums */
typedef struct { moments expert[2][EXPERTS][INPUTS], all[2]; qz_input_widths w; qz_mm *mm; } seen;

static void keep(void *arg, const qz_observed *o) {
    seen *s = arg;
    const qz_input in = qz_input_at(&s->w, o->layer, o->input);
    if (in.sub != QZ_SUB_FFN || (in.expert < 0 && in.inside)) return;
    moments *m = in.expert < 0 ? &s->all[o->layer] : &s->expert[o->layer][in.expert][in.inside];
    if (m->g == NULL) m->g = qz_calloc_array(o->cols * o->cols, sizeof *m->g);
    m->cols = o->cols;
    m->n += o->n;
    must(qz_mm_gram(s->mm, o->x, o->n, o->cols, m->g, &err));
}

/* Means over n tokens of the draw. */
static void look(qz_engine *e, uint64_t draw, size_t n, seen *s) {
    qz_rng g;
    uint32_t *ids = qz_alloc_array(n, sizeof *ids), *seq = qz_alloc_array(n, sizeof *seq);
    qz_kv *kv;
    *s = (seen){.mm = qz_engine_mm(e)};
    qz_input_widths_of(&qz_engine_model(e)->config, &s->w);
    qz_rng_seed(&g, draw);
    for (size_t i = 0; i < n; i++) ids[i] = (uint32_t)qz_rng_below(&g, 256), seq[i] = (uint32_t)(i / SEQ);
    must(qz_kv_open(e, n / SEQ, SEQ, &kv, &err));
    qz_engine_observe(e, keep, s);
    must(qz_engine_forward(e, kv, &(qz_batch){.ids = ids, .seq = seq, .n = n}, NULL, &err));
    qz_engine_observe(e, NULL, NULL);
    qz_kv_free(kv);
    qz_free(ids);
    qz_free(seq);
    moments *m = &s->expert[0][0][0];
    for (size_t i = 0; i < sizeof s->expert / sizeof *m; i++)
        for (size_t k = 0; k < m[i].cols * m[i].cols; k++) m[i].g[k] /= (double)m[i].n;
    for (size_t l = 0; l < 2; l++)
        for (size_t k = 0; k < s->all[l].cols * s->all[l].cols; k++) s->all[l].g[k] /= (double)s->all[l].n;
}
static void forget(seen *s) {
    moments *m = &s->expert[0][0][0];
    for (size_t i = 0; i < sizeof s->expert / sizeof *m; i++) qz_free(m[i].g);
    qz_free(s->all[0].g);
    qz_free(s->all[1].g);
}

/* tr(E H Eᵀ) over tr(W H Wᵀ), E what codes under gram take away; gram NULL: rounding to nearest. */
static double lost(qz_run *run, qz_mm *mm, const qz_tensor_view *t, const double *gram, const moments *truth) {
    const size_t rows = t->rows, cols = t->cols;
    float *w = qz_alloc_array(rows * cols, sizeof *w), *v = qz_alloc_array(rows * cols, sizeof *v);
    const qz_int_grid grid = qz_int_grid_of(&(qz_code_setting){.bits = 4, .group_size = 32}, cols);
    qz_gptq_options o = {.codes = qz_feedback_default};
    qz_gptq g = {0};
    qz_quantized q = {0};
    qz_arena a = {0};
    o.codes.grid = &grid.base;
    qz_tensor_decode(t, 0, rows, w);
    must(gram ? qz_gptq_prepare(&g, run, gram, cols, &o, &err)
              : qz_gptq_without(&g, run, cols, &o, "none", &err));
    must(qz_gptq_quantize(&g, mm, w, rows, &a, &q, &err));
    qz_quantized_decode(&q, v);
    double error = 0, power = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < cols; i++)
            for (size_t k = 0; k < cols; k++) {
                const double h = truth->g[i * cols + k], a0 = (double)w[r * cols + i], b0 = (double)w[r * cols + k];
                power += a0 * h * b0;
                error += (a0 - (double)v[r * cols + i]) * h * (b0 - (double)v[r * cols + k]);
            }
    qz_gptq_release(&g);
    qz_arena_release(&a);
    qz_free(w);
    qz_free(v);
    return error / power;
}

typedef struct { double plain, own, moved; size_t n; } sums;
typedef struct { qz_run *run; qz_engine *e; const seen *held; } rig;
typedef struct { size_t layer, x, linear; } one;
static void add_linear(const rig *r, const seen *s, const one *which, sums *out) {
    const size_t layer = which->layer, x = which->x, l = which->linear;
    qz_run *run = r->run;
    const bool inside = l == QZ_MLP_DOWN;
    const moments *m = &s->expert[layer][x][inside], *truth = &r->held->expert[layer][x][inside];
    const qz_tensor_view *t = qz_block_linear(&qz_engine_model(r->e)->blocks[layer], l, (long)x);
    if (m->n == 0 || truth->n == 0) return;
    const size_t all = m->cols * m->cols;
    double *g = qz_alloc_array(all, sizeof *g), *shared = qz_alloc_array(all, sizeof *shared);
    memcpy(g, m->g, all * sizeof *g);
    if (!inside) memcpy(shared, s->all[layer].g, all * sizeof *shared);
    qz_expert_gram(g, m->cols, m->n, inside ? NULL : &(qz_shared_gram){shared, s->all[layer].n});
    out->plain += lost(run, s->mm, t, NULL, truth);
    out->own += lost(run, s->mm, t, m->g, truth);
    out->moved += lost(run, s->mm, t, g, truth);
    out->n++;
    qz_free(g);
    qz_free(shared);
}

static sums measure(const rig *r, size_t n) {
    sums out = {0};
    for (uint64_t draw = 1; draw <= DRAWS; draw++) {
        seen s;
        look(r->e, draw, n, &s);
        for (size_t layer = 0; layer < 2; layer++)
            for (size_t x = 0; x < EXPERTS; x++)
                for (size_t l = QZ_MLP_GATE; l <= QZ_MLP_DOWN; l++) add_linear(r, &s, &(one){layer, x, l}, &out);
        forget(&s);
    }
    const double all = (double)out.n;
    print_message("%zu tokens: rounded %.5f, own matrices %.5f, moved %.5f\n", n, out.plain / all, out.own / all,
                  out.moved / all);
    return out;
}

static void held_out(void **state) {
    (void)state;
    qz_run run;
    qz_model *m;
    qz_engine *e;
    seen held;
    must(qz_run_init(&run, 2, &err));
    must(qz_model_open(&run, "tests/golden/zoo/qwen3_moe-sparse", &m, &err));
    must(qz_engine_open(&run, m, NULL, &e, &err));
    look(e, 99, HELD, &held);
    const rig r = {&run, e, &held};
    const sums few = measure(&r, 2 * SEQ), some = measure(&r, 8 * SEQ), many = measure(&r, MOST);
    assert_true(few.moved < 0.6 * few.own);
    assert_true(few.moved < 1.02 * few.plain);
    assert_true(some.moved < 0.9 * some.own);
    assert_true(many.moved < 1.0 * many.own);
    forget(&held);
    qz_engine_free(e);
    qz_model_free(m);
    qz_run_release(&run);
}

/* Every expert sees every token, what the layers give stays as it was. */
static void route_all(void **state) {
    (void)state;
    qz_run run;
    qz_model *m;
    qz_engine *e;
    seen s;
    uint32_t ids[SEQ];
    static float want[SEQ * 256], got[SEQ * 256];
    qz_kv *kv;
    must(qz_run_init(&run, 1, &err));
    must(qz_model_open(&run, "tests/golden/zoo/qwen3_moe-sparse", &m, &err));
    must(qz_engine_open(&run, m, &(qz_engine_options){.route_all = true}, &e, &err));
    look(e, 1, 2 * SEQ, &s);
    for (size_t l = 0; l < 2; l++)
        for (size_t x = 0; x < EXPERTS; x++) {
            const moments *gate = &s.expert[l][x][0];
            assert_int_equal(gate->n, 2 * SEQ);
            assert_int_equal(s.expert[l][x][1].n, 2 * SEQ);
            assert_memory_equal(gate->g, s.all[l].g, gate->cols * gate->cols * sizeof *gate->g);
        }
    for (size_t i = 0; i < SEQ; i++) ids[i] = (uint32_t)((i * i + 37 * i + 11) % 256);
    must(qz_kv_open(e, 1, SEQ, &kv, &err));
    must(qz_engine_forward(e, kv, &(qz_batch){.ids = ids, .n = SEQ}, want, &err)); /* nobody looks */
    qz_kv_reset(kv, 0);
    seen more = {.mm = qz_engine_mm(e), .w = s.w};
    qz_engine_observe(e, keep, &more);
    must(qz_engine_forward(e, kv, &(qz_batch){.ids = ids, .n = SEQ}, got, &err));
    assert_memory_equal(want, got, sizeof want);
    forget(&s);
    forget(&more);
    qz_kv_free(kv);
    qz_engine_free(e);
    qz_model_free(m);
    qz_run_release(&run);
}

/* By hand: the identity and a matrix of two columns; equal matrices stay. */
static void shares(void **state) {
    (void)state;
    double g[4] = {2, 1, 1, 2}, same[4] = {2, 1, 1, 2};
    const double t[4] = {2, 1, 1, 2}, eye[4] = {1, 0, 0, 1};
    assert_true(qz_gram_shrink(same, 2, 10, t) == 0 && memcmp(same, t, sizeof t) == 0);
    /* |G|² = 10, tr² = 16, |G − I|² = 4, n = 13: 26 / 52 */
    assert_true(fabs(qz_gram_shrink(g, 2, 13, eye) - 0.5) < 1e-12);
    assert_true(fabs(g[0] - 1.5) < 1e-12 && fabs(g[1] - 0.5) < 1e-12);
    double d[4] = {2, 1, 1, 2}; /* to the diagonal: (16 + 10 − 16) / (2 · 10) */
    assert_true(fabs(qz_gram_shrink(d, 2, 10, NULL) - 0.5) < 1e-12);
    assert_true(d[0] == 2 && fabs(d[1] - 0.5) < 1e-12);
    assert_true(qz_gram_shrink(d, 2, 0, eye) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares), cmocka_unit_test(held_out),
                                       cmocka_unit_test(route_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
