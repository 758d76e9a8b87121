/* AWQ: the reference's group quantizer, scale search and clip search on its own vectors (AutoAWQ 0.2.9,
 * data/hf-vectors-a, tolerances of its README); folding keeps the block's function. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/half.h"
#include "base/rng.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include "methods/awq_compat.h"
#include "model/kinds.h"

static qz_error err;
static qz_st file;
static qz_run run;
static qz_mm *mm;

static int setup(void **state) {
    (void)state;
    return qz_st_open(&file, "tests/golden/artifacts/awq.safetensors", &err) != QZ_OK ||
           qz_run_init(&run, 2, &err) != QZ_OK || qz_mm_open(&run, &mm, &err) != QZ_OK;
}
static int teardown(void **state) {
    (void)state;
    qz_mm_free(mm);
    qz_run_release(&run);
    qz_st_release(&file);
    return 0;
}
static float *tensor(const char *prefix, const char *name, size_t *n) {
    char full[128];
    (void)snprintf(full, sizeof full, "%s.%s", prefix, name);
    const qz_st_tensor *t = qz_st_find(&file, full);
    if (t == NULL) fail_msg("no tensor %s", full);
    float *v = qz_alloc_array(t->elems, sizeof *v);
    for (size_t i = 0; i < t->elems; i++)
        switch ((int)t->dtype) {
        case QZ_ST_F32: v[i] = qz_load_f32le(t->data + 4 * i); break;
        case QZ_ST_F64: v[i] = (float)qz_load_f64le(t->data + 8 * i); break;
        case QZ_ST_F16: v[i] = qz_f16_to_f32(qz_load_u16le(t->data + 2 * i)); break;
        default: fail_msg("dtype of %s", full);
        }
    *n = t->elems;
    return v;
}

enum { ROWS = 32, COLS = 64, GROUP = 32, TOKENS = 48 };

/* The reference's search for one linear alone, of the parts that the block's search is made of: losses and the
 * best one's scales. */
static size_t search_linear(const float *w, const float *x, bool duo, double losses[QZ_AWQ_GRID], float scales[COLS]) {
    static float wq[ROWS * COLS], copy[ROWS * COLS], y0[TOKENS * ROWS], y[TOKENS * ROWS];
    const qz_awq_linear l = {.w = copy, .rows = ROWS, .cols = COLS};
    const qz_awq_grid grid = {.bits = 4, .group = GROUP};
    qz_weights plain = {.type = QZ_TYPE_F32, .rows = ROWS, .cols = COLS, .data = w}, tried = plain;
    float x_mean[COLS] = {0}, w_mean[COLS], s[COLS];
    double sum[COLS] = {0};
    size_t best = 0;
    memcpy(copy, w, sizeof copy);
    tried.data = wq;
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t k = 0; k < COLS; k++) x_mean[k] += fabsf(x[t * COLS + k]) / TOKENS;
    qz_awq_weight_mean(w, ROWS, COLS, GROUP, sum);
    for (size_t k = 0; k < COLS; k++) w_mean[k] = (float)(sum[k] / ROWS);
    assert_int_equal(qz_mm_exact(mm, &plain, x, TOKENS, y0, &err), QZ_OK);
    for (size_t i = 0; i < QZ_AWQ_GRID; i++) {
        qz_awq_scales(x_mean, duo ? w_mean : NULL, COLS, (double)i / QZ_AWQ_GRID, s);
        qz_awq_try_scales(&grid, &l, s, wq);
        assert_int_equal(qz_mm_exact(mm, &tried, x, TOKENS, y, &err), QZ_OK);
        losses[i] = 0;
        for (size_t k = 0; k < TOKENS * ROWS; k++)
            losses[i] += ((double)y0[k] - (double)y[k]) * ((double)y0[k] - (double)y[k]) / (TOKENS * ROWS);
        if (losses[i] > losses[best]) continue;
        best = i;
        memcpy(scales, s, sizeof s);
    }
    return best;
}

static void search_case(const char *name, bool duo, double tol) {
    size_t n;
    float *w = tensor(name, "weight", &n), *x = tensor(name, "x", &n), *want = tensor(name, "loss_history", &n),
          *best_scales = tensor(name, "best_scales", &n);
    double losses[QZ_AWQ_GRID];
    float scales[COLS];
    size_t best, want_best = 0;
    best = search_linear(w, x, duo, losses, scales);
    for (size_t i = 0; i < QZ_AWQ_GRID; i++) {
        if (!(fabs(losses[i] / (double)want[i] - 1) <= tol))
            fail_msg("%s: loss %zu is %.8g, expected %.8g", name, i, losses[i], (double)want[i]);
        if (want[i] < want[want_best]) want_best = i;
    }
    assert_int_equal(best, want_best);
    for (size_t k = 0; k < COLS; k++) assert_true(fabsf(scales[k] / best_scales[k] - 1) < (tol > 0.01 ? 0.01f : 1e-4f));
    /* clip on the scaled weights of the vectors */
    float *cw = tensor(name, "clip_weight", &n), *cx = tensor(name, "clip_x", &n),
          *bound = tensor(name, "clip_max_val", &n);
    float got[64 * 2];
    size_t differ = 0;
    assert_int_equal(qz_awq_clip(&run, &(qz_awq_clipping){cw, cx, 64, COLS, TOKENS, GROUP, 4}, got, &err), QZ_OK);
    for (size_t i = 0; i < 64 * 2; i++) differ += fabsf(got[i] - bound[i]) > 1e-3f * bound[i];
    /* near ties may fall either way */
    if (differ > (tol > 0.01 ? 6u : 1u)) fail_msg("%s: %zu of 128 clip bounds differ", name, differ);
    qz_free(w);
    qz_free(x);
    qz_free(want);
    qz_free(best_scales);
    qz_free(cw);
    qz_free(cx);
    qz_free(bound);
}
static void reference_vectors(void **state) {
    (void)state;
    search_case("search_f32_duo", true, 1e-4);
    search_case("search_f32_noduo", false, 1e-4);
    search_case("search_f16_duo", true, 0.03);
}
static void pseudo_quantizer(void **state) {
    (void)state;
    size_t n;
    float *w = tensor("pseudo_f32_asym_g32", "weight", &n), *want = tensor("pseudo_f32_asym_g32", "dequant", &n),
          out[4 * 64];
    qz_awq_pseudo(w, 4, 64, 32, 4, false, out);
    for (size_t i = 0; i < n; i++) assert_true(out[i] == want[i]);
    qz_free(w);
    qz_free(want);
    w = tensor("pseudo_f32_sym_g32", "weight", &n);
    want = tensor("pseudo_f32_sym_g32", "dequant", &n);
    qz_awq_pseudo(w, 4, 64, 32, 4, true, out);
    for (size_t i = 0; i < n; i++) assert_true(out[i] == want[i]);
    qz_free(w);
    qz_free(want);
}

/* Folding moves scales between an op and the next: products along the path stay the same, also under GQA. */
static void folding_keeps_the_function(void **state) {
    (void)state;
    static const qz_config c = {.layers = 1, .hidden_size = 64, .intermediate_size = 96, .heads = 4, .kv_heads = 2,
                                .head_dim = 16};
    qz_awq_block b;
    qz_awq_block_describe(&b, &c, 0, -1);
    qz_rng r;
    qz_rng_seed(&r, 3);
    float *before[QZ_LINEARS], norm[64], s[96];
    qz_awq_linear *lin = b.linear;
    const size_t qkv = lin[QZ_ATTN_Q].stage, o = lin[QZ_ATTN_O].stage, down = lin[QZ_MLP_DOWN].stage;
    for (size_t l = 0; l < QZ_LINEARS; l++) {
        const size_t n = lin[l].rows * lin[l].cols;
        lin[l].w = qz_alloc_array(n, sizeof(float));
        before[l] = qz_alloc_array(n, sizeof(float));
        for (size_t i = 0; i < n; i++) before[l][i] = lin[l].w[i] = qz_rng_normal(&r);
    }
    b.input[qkv].norm = norm;
    for (size_t k = 0; k < 64; k++) norm[k] = 1 + 0.1f * (float)k;
    for (size_t k = 0; k < 64; k++) s[k] = 0.5f + 0.03f * (float)k;
    qz_awq_fold(&b, qkv, s);
    for (size_t k = 0; k < 64; k++) {
        assert_true(norm[k] == qz_f16_to_f32(qz_f32_to_f16(norm[k]))); /* what the file holds is what was folded */
        assert_true(fabsf(norm[k] * lin[QZ_ATTN_Q].w[k] / ((1 + 0.1f * (float)k) * before[QZ_ATTN_Q][k]) - 1) < 1e-6f);
    }
    /* equal for the query heads of a KV head */
    for (size_t k = 0; k < 64; k++) s[k] = 2.0f + (float)(k / 32 * 16 + k % 16);
    memcpy(before[QZ_ATTN_V], lin[QZ_ATTN_V].w, 32 * 64 * sizeof(float));
    qz_awq_fold(&b, o, s);
    for (size_t k = 0; k < 64; k++) {
        size_t v = k / 32 * 16 + k % 16; /* its v row */
        assert_true(
            fabsf(lin[QZ_ATTN_O].w[k] * lin[QZ_ATTN_V].w[v * 64] / (before[QZ_ATTN_O][k] * before[QZ_ATTN_V][v * 64]) -
                  1) < 1e-5f);
    }
    for (size_t k = 0; k < 96; k++) s[k] = 1.5f + (float)k;
    qz_awq_fold(&b, down, s);
    for (size_t k = 0; k < 96; k++)
        assert_true(fabsf(lin[QZ_MLP_DOWN].w[k] * lin[QZ_MLP_UP].w[k * 64] /
                              (before[QZ_MLP_DOWN][k] * before[QZ_MLP_UP][k * 64]) -
                          1) < 1e-5f);
    for (size_t l = 0; l < QZ_LINEARS; l++) {
        qz_free(lin[l].w);
        qz_free(before[l]);
    }
}
/* One expert: scales of its down go into its own up, so that the product stays what it was; the input of gate and up is
 * measured and not scaled (its norm feeds the router too). */
static void expert_folds_inside(void **state) {
    (void)state;
    enum { IN = 2, DOWN = 3, H = 64, F = 32, TRI = F * (F + 1) / 2, WIDE = H * (H + 1) / 2 };
    static float gate[F * H], up[F * H], down[H * F], first[2][H * F], mean[H], gram[WIDE], gram_down[TRI],
        mean_down[F], ones[H], s_down[F];
    static const qz_config c = {.layers = 1, .hidden_size = H, .heads = 1, .kv_heads = 1, .head_dim = H, .experts = 2,
                                .expert_width = F};
    qz_error e = {0};
    uint64_t x = 7;
    for (size_t i = 0; i < F * H; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        gate[i] = up[i] = (float)(int64_t)(x >> 33) / 0x1p31f - 0.5f;
        down[i] = 0.3f * up[i] + (i % 5 ? 0.1f : -0.1f);
    }
    memcpy(first[0], up, sizeof up);
    memcpy(first[1], down, sizeof down);
    for (size_t k = 0; k < F; k++) mean_down[k] = k == 3 ? 40 : 0.5f; /* an outlier channel: scales gain much */
    for (size_t i = 0, at = 0; i < F; i++)
        for (size_t j = i; j < F; j++, at++) gram_down[at] = i == j ? mean_down[i] * mean_down[i] * 1.5f : 0;
    for (size_t i = 0, at = 0; i < H; i++)
        for (size_t j = i; j < H; j++, at++) gram[at] = i == j;
    for (size_t k = 0; k < H; k++) mean[k] = ones[k] = 1;
    for (size_t k = 0; k < F; k++) s_down[k] = 1;
    qz_awq_block b;
    qz_awq_block_describe(&b, &c, 0, 1);
    b.linear[QZ_MLP_GATE].w = gate, b.linear[QZ_MLP_UP].w = up, b.linear[QZ_MLP_DOWN].w = down;
    assert_int_equal(b.input[IN].fold.kind, QZ_FOLD_SHARED);
    assert_int_equal(b.input[DOWN].fold.kind, QZ_FOLD_ROWS);
    const qz_awq_grid grids[QZ_STAGES] = {{.off = true}, {.off = true}, [IN] = {4, 32, false, false, true},
                                          [DOWN] = {4, 32, false, false, false}};
    const qz_input_stats stats[QZ_STAGES] = {[IN] = {.cols = H, .tokens = 10, .mean_abs = mean, .max_abs = mean,
                                                     .gram = gram},
                                             [DOWN] = {.cols = F, .tokens = 10, .mean_abs = mean_down,
                                                       .max_abs = mean_down,
                                                       .gram = gram_down}};
    float *const scales[QZ_STAGES] = {[IN] = ones, [DOWN] = s_down};
    const qz_awq_options o = {.codes = {.bits = 4, .group_size = 32}, .grids = grids, .stats = stats};
    qz_awq_report r;
    assert_int_equal(qz_awq_block_scales(&run, mm, &b, &o, scales, &r, &e), QZ_OK);
    double energy = 0; /* under the identity: the squares */
    for (size_t i = 0; i < sizeof up / sizeof up[0]; i++) energy += 2 * (double)first[0][i] * (double)first[0][i];
    assert_true(fabs(r.energy[IN] - energy) < 1e-5 * energy);
    assert_true(r.ratio[IN] < 0 && r.plain[IN] > 0 && r.scaled[IN] == r.plain[IN]);
    assert_true(r.ratio[DOWN] >= 0 && r.scaled[DOWN] < 0.9 * r.plain[DOWN]);
    assert_true(s_down[3] > s_down[4]);
    for (size_t k = 0; k < H; k++) assert_true(ones[k] == 1);
    assert_memory_equal(gate, first[0], sizeof gate); /* gate and up were equal */
    for (size_t f = 0; f < F; f++)
        for (size_t h = 0; h < H; h++) { /* down · up through channel f */
            const double was = (double)first[1][h * F + f] * (double)first[0][f * H + h],
                         is = (double)down[h * F + f] * (double)up[f * H + h];
            assert_true(fabs(was - is) <= 1e-6 * fabs(was) + 1e-12);
            assert_true(up[f * H + h] == first[0][f * H + h] / s_down[f]);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pseudo_quantizer), cmocka_unit_test(reference_vectors),
                                       cmocka_unit_test(folding_keeps_the_function),
                                       cmocka_unit_test(expert_folds_inside)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
