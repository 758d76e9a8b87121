/* Worked examples of rounding. Codes, scales and zero points come from the group codec (codecs/int_group.h), blocks
 * from the GGUF codecs, feedback from methods/feedback.h: what is shown here is what an artifact would hold. */
#include "base/rng.h"
#include "base/size.h"
#include "codecs/int_group.h"
#include "codecs/small_float.h"
#include "codecs/types.h"
#include "formats/gguf.h"
#include "methods/feedback.h"
#include "methods/int_grid.h"
#include "explain/explain.h"
#include "plan/levels.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct { double mae, mse, max; } errors;
static errors compare(const float *w, const float *v, size_t n) {
    errors e = {0};
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)w[i] - (double)v[i]);
        e.mae += d / (double)n;
        e.mse += d * d / (double)n;
        if (d > e.max) e.max = d;
    }
    return e;
}

/* A row as its codes, and what they stand for. */
typedef struct { uint8_t *codes, *zeros; float *scales, *v; } rounded;
/* Rounds one row in groups with the real codec. */
static qz_status round_row(qz_explained *x, const float *w, size_t n, size_t group, uint32_t bits, bool sym,
                           rounded *r) {
    r->codes = qz_arena_alloc(&x->arena, n, 1);
    r->scales = qz_arena_alloc(&x->arena, n / group, sizeof *r->scales);
    r->zeros = qz_arena_alloc(&x->arena, n / group, 1);
    r->v = qz_arena_alloc(&x->arena, n, sizeof *r->v);
    if (!r->codes || !r->scales || !r->zeros || !r->v) return qz_fail(x->err, QZ_EMEMORY, "out of memory");
    qz_int_group_rtn_row(w, n, group, bits, sym, (qz_int_row){r->codes, r->scales, r->zeros});
    for (size_t i = 0; i < n; i++) r->v[i] = (float)((int)r->codes[i] - r->zeros[i / group]) * r->scales[i / group];
    return QZ_OK;
}

/* The scale that the rule gives in exact arithmetic; the codec's own float32 must agree. */
static qz_status exact_scale(qz_explained *x, const double *w, size_t n, bool sym, float stored, double *scale) {
    double lo = w[0], hi = w[0];
    for (size_t i = 1; i < n; i++) {
        lo = fmin(lo, w[i]);
        hi = fmax(hi, w[i]);
    }
    *scale = fmax(sym ? fmax(hi, -lo) : hi - lo, 1e-5) / (sym ? 7 : 15);
    return fabs((double)stored - *scale) <= 1e-5 * *scale
               ? QZ_OK
               : qz_fail(x->err, QZ_EBUG, "the codec's scale %.9g is not the rule's %.12g", (double)stored, *scale);
}

/* Codes and zero points are the codec's; what they decode to, and the errors, are shown in double: twelve digits, as in
 * the handbooks. Symmetric: q is shown around zero, as the formula has it; the file stores q + zero point. */
static qz_status show_row(qz_explained *x, const char *caption, const double *w, size_t n, bool sym) {
    rounded r;
    float *in = qz_arena_alloc(&x->arena, n, sizeof *in);
    double scale, mae = 0, mse = 0, most = 0;
    if (in == NULL) return qz_fail(x->err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) in[i] = (float)w[i];
    QZ_TRY(round_row(x, in, n, n, 4, sym, &r));
    QZ_TRY(exact_scale(x, w, n, sym, r.scales[0], &scale));
    QZ_TRY(qz_explain_table(x, caption, "Weight>|q>|Stored>|Decoded>|Error>"));
    for (size_t i = 0; i < n; i++) {
        /* the decimal input itself is rounded */
        const double y = (r.codes[i] - r.zeros[0]) * scale, d = fabs(w[i] - y), e = d > 1e-14 * fabs(w[i]) ? d : 0;
        mae += e / (double)n;
        mse += e * e / (double)n;
        most = fmax(most, e);
        QZ_TRY(qz_explain_row(x, "%.6g|%d|%u|%.12g|%.12g", w[i], sym ? r.codes[i] - r.zeros[0] : r.codes[i], r.codes[i],
                              y, e));
    }
    qz_explain_say(x, "%s: scale %.12g, zero point %u, mean error %.11g, mean squared error %.12g, largest %.12g",
                   caption, scale, r.zeros[0], mae, mse, most);
    return QZ_OK;
}

qz_status qz_explain_quant(qz_explained *x) {
    const qz_explain_options *r = &x->o;
    const double w = r->w, s = r->scale;
    double *list;
    size_t n;
    if (!((float)s > 0)) return qz_fail(x->err, QZ_EUSAGE, "--s must be above zero, found %g", s);
    int q = qz_int_group_code((float)w, (float)s, 0, -8, 7);
    double v = q * s;
    qz_explain_say(x, "q = clamp(round(w/s) + z, qmin, qmax), decoded = s * (q - z); halves round to even");
    qz_explain_say(x, "w %g, s %g, z 0, 4 bits: w/s = %.6g, q %d, decoded %.6g, error %.6g", w, s, w / s, q, v,
                   fabs(w - v));
    QZ_TRY(qz_explain_numbers(x, r->values ? r->values : "0.15,-1.22,2.40,-0.45", "values", &list, &n));
    QZ_TRY(show_row(x, "symmetric, 4 bits: scale = max|w| / 7", list, n, true));
    QZ_TRY(qz_explain_table(x, "the same rule with scale 1: a ruler", "Value>|q>"));
    static const float ruler[] = {3.7f, 4.2f, 12.1f};
    for (size_t i = 0; i < 3; i++)
        QZ_TRY(qz_explain_row(x, "%.4g|%d", (double)ruler[i], qz_int_group_code(ruler[i], 1, 0, 0, 15)));
    return QZ_OK;
}

/* Codes of the formats themselves: E4M3 and E2M1 saturate, E5M2 has an infinity. */
qz_status qz_explain_fp8(qz_explained *x) {
    static const struct { qz_small_float t; const char *name, *use; } types[] = {
        {QZ_E4M3FN, "E4M3", "FP8 weights and activations"}, {QZ_E5M2, "E5M2", "FP8 where range comes first"},
        {QZ_E2M1, "E2M1", "MXFP4 and NVFP4 elements"}};
    double *list;
    size_t n;
    QZ_TRY(qz_explain_numbers(x, x->o.values ? x->o.values : "0.15,-1.22,2.40,-0.45,448,1000", "values", &list, &n));
    qz_explain_say(x, "value = (1 + m / 2^M) * 2^(e - bias); e 0: m * 2^(1 - bias - M); rounding to nearest, ties to "
                      "even");
    QZ_TRY(qz_explain_table(x, "formats", "Format<|Largest>|Smallest>|Used for<"));
    for (size_t i = 0; i < 3; i++)
        QZ_TRY(qz_explain_row(x, "%s|%g|%.6g|%s", types[i].name, (double)qz_small_max(types[i].t),
                              (double)qz_small_min(types[i].t), types[i].use));
    QZ_TRY(qz_explain_table(x, "values", "Value>|E4M3>|E4M3 code>|E5M2>|E5M2 code>|E2M1>|E2M1 code>"));
    for (size_t i = 0; i < n; i++) {
        uint8_t c[3];
        for (size_t k = 0; k < 3; k++) c[k] = qz_small_encode(types[k].t, (float)list[i]);
        QZ_TRY(qz_explain_row(x, "%.6g|%.6g|0x%02x|%.6g|0x%02x|%.6g|0x%x", list[i],
                              (double)qz_small_decode(types[0].t, c[0]), c[0],
                              (double)qz_small_decode(types[1].t, c[1]), c[1],
                              (double)qz_small_decode(types[2].t, c[2]), c[2]));
    }
    return QZ_OK;
}

qz_status qz_explain_conventions(qz_explained *x) {
    static const double w[3] = {0.40, 0.79, 1.22};
    const double lo = w[0], scale = (w[2] - w[0]) / 15;
    float block[32], back[32];
    uint8_t bytes[20];
    qz_explain_say(x, "three weights, none of them near zero, in the three conventions that files use");
    QZ_TRY(show_row(x, "symmetric (GPTQ, Q4_0): q - 8, zero point fixed", w, 3, true));
    QZ_TRY(show_row(x, "integer zero (AWQ, GPTQ asymmetric)", w, 3, false));
    QZ_TRY(qz_explain_table(x, "float minimum (GGUF _1 and K types): value = scale * q + minimum",
                            "Weight>|Exact q>|q>|Decoded>|Q4_1 file>"));
    for (size_t i = 0; i < 32; i++) block[i] = (float)w[i % 3];
    qz_type_get(QZ_TYPE_Q4_1)->encode(block, NULL, 32, bytes);
    qz_type_get(QZ_TYPE_Q4_1)->decode(bytes, 32, back);
    for (size_t i = 0; i < 3; i++) {
        int q = qz_int_group_code((float)(w[i] - lo), (float)scale, 0, 0, 15);
        QZ_TRY(
            qz_explain_row(x, "%.4g|%.3f|%d|%.5f|%.5f", w[i], (w[i] - lo) / scale, q, scale * q + lo, (double)back[i]));
    }
    qz_explain_say(x, "float minimum: scale %.7f, minimum %.2f; Q4_1 keeps both as float16", scale, lo);
    qz_explain_say(x,
                   "The integer zero point must lie in 0..15: it would be %d here, is cut to 0, and the largest weight "
                   "saturates.",
                   -qz_int_group_code((float)lo, (float)scale, 0, -100, 100));
    return QZ_OK;
}

qz_status qz_explain_step(qz_explained *x) {
    double *a;
    size_t n;
    QZ_TRY(qz_explain_numbers(x, x->o.acts ? x->o.acts : "0,1.2,1.8,2.6,3.0", "acts", &a, &n));
    qz_explain_say(x, "step of a 4-bit grid: symmetric max/7, asymmetric (max - min)/15");
    QZ_TRY(show_row(x, "symmetric", a, n, true));
    return show_row(x, "asymmetric", a, n, false);
}

/* A matrix of normal weights with one outlier; error of 4-bit rounding at each granularity. */
qz_status qz_explain_granularity(qz_explained *x) {
    enum { ROWS = 16, COLS = 256, N = ROWS * COLS };
    static const struct { const char *name; size_t group; } kinds[] = {{"tensor", N}, {"row", COLS}, {"group 128", 128},
                                                                       {"group 64", 64}, {"group 32", 32}};
    if (x->o.model) return qz_explain_own_granularity(x);
    float *w = qz_arena_alloc(&x->arena, N, sizeof *w);
    if (w == NULL) return qz_fail(x->err, QZ_EMEMORY, "out of memory");
    qz_rng rng;
    qz_rng_seed(&rng, 1);
    for (size_t i = 0; i < N; i++) w[i] = 0.02f * qz_rng_normal(&rng);
    w[777] = 0.6f;
    qz_explain_say(x, "a 16 x 256 matrix of normal weights (sigma 0.02) with one weight of 0.6, rounded to 4 bits, "
                      "integer zero points");
    QZ_TRY(qz_explain_table(x, NULL, "Scale per<|Values>|Mean squared error>|Against tensor>|Bits/weight>"));
    double first = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        rounded r;
        QZ_TRY(round_row(x, w, N, kinds[k].group, 4, false, &r));
        errors e = compare(w, r.v, N);
        if (k == 0) first = e.mse;
        QZ_TRY(qz_explain_row(x, "%s|%zu|%.3e|%.1fx lower|%.5f", kinds[k].name, kinds[k].group, e.mse, first / e.mse,
                              4 + 20.0 / (double)kinds[k].group));
    }
    return QZ_OK;
}

qz_status qz_explain_outlier(qz_explained *x) {
    enum { N = 4096 };
    float *w = qz_arena_alloc(&x->arena, N, sizeof *w);
    if (w == NULL) return qz_fail(x->err, QZ_EMEMORY, "out of memory");
    qz_rng rng;
    qz_rng_seed(&rng, 2);
    for (size_t i = 0; i < N; i++) w[i] = 0.02f * qz_rng_normal(&rng);
    w[100] = 2.0f;
    qz_explain_say(x, "4096 weights of sigma 0.02 and one of 2.0, a hundred times as large; 4 bits, symmetric");
    QZ_TRY(qz_explain_table(x, NULL, "Scale per<|Step>|Mean squared error>|Weights that become 0>"));
    double mse[2];
    for (int k = 0; k < 2; k++) {
        size_t group = k ? 128 : N, lost = 0;
        rounded r;
        QZ_TRY(round_row(x, w, N, group, 4, true, &r));
        for (size_t i = 0; i < N; i++) lost += r.v[i] == 0;
        mse[k] = compare(w, r.v, N).mse;
        QZ_TRY(qz_explain_row(x, "%s|%.5f|%.3e|%.1f %%", k ? "group of 128" : "tensor", (double)r.scales[k ? 1 : 0],
                              mse[k], 100.0 * (double)lost / N));
    }
    qz_explain_say(x, "group scales: %.0f times lower error; only the outlier's own group still suffers",
                   mse[0] / mse[1]);
    return QZ_OK;
}

qz_status qz_explain_overhead(qz_explained *x) {
    static const double groups[] = {32, 64, 128, 1024};
    qz_explain_say(x, "4-bit codes with a 16-bit scale for g weights: 4 + 16/g bits; with a 4-bit zero point 4 + 20/g");
    QZ_TRY(qz_explain_table(x, NULL, "Group>|Symmetric>|With zero points>"));
    for (size_t i = 0; i < 4; i++)
        QZ_TRY(qz_explain_row(x, "%.0f|%.9g|%.6g", groups[i], 4 + 16 / groups[i], 4 + 20 / groups[i]));
    const qz_level_info *plain = qz_level_get(QZ_LEVEL_BNB_NF4), *twice = qz_level_get(QZ_LEVEL_NF4_DOUBLE);
    double a = plain->bits + plain->scale_bits / plain->group, b = twice->bits + twice->scale_bits / twice->group;
    qz_explain_say(x,
                   "NF4: %.6g bits (float32 scale for 64 weights); double quantization %.6f (8-bit scales in blocks of "
                   "256): %.6f instead of %.3g, %.3f saved",
                   a, b, b - 4, a - 4, a - b);
    QZ_TRY(qz_explain_table(x, "GGUF types: bytes of a block", "Type<|Weights>|Bytes>|Bits/weight>"));
    for (uint32_t id = 0; id < 64; id++) {
        const qz_gguf_type *t = qz_gguf_type_get(id);
        if (t && t->elems > 1)
            QZ_TRY(qz_explain_row(x, "%s|%u|%u|%.6g", t->name, t->elems, t->bytes, 8.0 * t->bytes / t->elems));
    }
    return QZ_OK;
}

/* Error of one output y = sum |x| * |error of w|. */
qz_status qz_explain_salience(qz_explained *x) {
    static const double act[2] = {100, 0.1}, plain[2] = {0.10, 0.10}, scaled[2] = {0.02, 0.10};
    double before = 0, after = 0;
    QZ_TRY(qz_explain_table(x, NULL, "Input>|Rounding error>|Costs>|With AWQ's scale>|Costs then>"));
    for (int i = 0; i < 2; i++) {
        before += act[i] * plain[i];
        after += act[i] * scaled[i];
        QZ_TRY(qz_explain_row(x, "%g|%.2f|%.2f|%.2f|%.2f", act[i], plain[i], act[i] * plain[i], scaled[i],
                              act[i] * scaled[i]));
    }
    qz_explain_say(x,
                   "output error: %.2f, and %.2f when the salient channel is multiplied before rounding and divided "
                   "after",
                   before, after);
    return QZ_OK;
}

qz_status qz_explain_curvature(qz_explained *x) {
    static const float h[4] = {25, 0, 0, 1}, e[2] = {0.2f, 0.2f};
    float scratch[2];
    double cost[2];
    qz_mm *mm = NULL;
    QZ_TRY(qz_mm_open(x->run, &mm, x->err));
    qz_status st = qz_explain_table(x, NULL, "Direction<|Curvature>|Error>|Cost e*H*e>");
    for (int i = 0; i < 2 && st == QZ_OK; i++) {
        float one[2] = {i ? 0 : e[0], i ? e[1] : 0};
        st = qz_quadratic_error(mm, &(qz_quadratic){h, 2, scratch}, one, 1, &cost[i], x->err);
        if (st == QZ_OK)
            st = qz_explain_row(x, "%s|%g|%g|%.4g", i ? "flat" : "steep", (double)h[3 * i], (double)e[i], cost[i]);
    }
    if (st == QZ_OK)
        qz_explain_say(x, "the same rounding error costs %.0f times as much along the steep direction",
                       cost[0] / cost[1]);
    qz_mm_free(mm);
    return st;
}

/* Two weights whose inputs rise and fall together: feedback shifts the second to pay for the first. */
qz_status qz_explain_compensation(qz_explained *x) {
    enum { K = 8 };
    static const float w[K] = {0.47f, 0.46f, -1.0f, 1.4f, 0.0f, 0.2f, -0.2f, 0.6f};
    double gram[K * K];
    float hf[K * K], e[K], scratch[K];
    for (size_t i = 0; i < K * K; i++) gram[i] = i % (K + 1) == 0 ? 1.0 : i / K < 2 && i % K < 2 ? 0.95 : 0.0;
    for (size_t i = 0; i < K * K; i++) hf[i] = (float)gram[i];
    rounded r;
    float fed[K];
    QZ_TRY(round_row(x, w, K, K, 4, true, &r));
    const qz_int_grid grid = qz_int_grid_of(&(qz_code_setting){.bits = 4, .group_size = QZ_WHOLE_ROW, .sym = true}, K);
    const qz_feedback_options o = {.grid = &grid.base, .shrink_steps = 1, .rounds = 0, .sweeps = 0};
    qz_hessian h = {0};
    qz_quantized q = {0};
    qz_mm *mm = NULL;
    double cost[2] = {0};
    qz_status st = qz_mm_open(x->run, &mm, x->err);
    if (st == QZ_OK) st = qz_hessian_init(&h, x->run, gram, &(qz_hessian_how){K, K, 0.01, QZ_ORDER_NATURAL, 0}, x->err);
    if (st == QZ_OK) st = qz_feedback_quantize(&(qz_feedback_job){x->run, mm, &h, &o, &x->arena}, w, 1, &q, x->err);
    if (st != QZ_OK) goto out;
    qz_coded_decode_row(q.coded, 0, fed);
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < K; i++) e[i] = w[i] - (k ? fed[i] : r.v[i]);
        QZ_GOTO(qz_quadratic_error(mm, &(qz_quadratic){hf, K, scratch}, e, 1, &cost[k], x->err));
    }
    QZ_GOTO(qz_explain_table(x, "inputs 1 and 2 are correlated (0.95), the others independent; 4 bits, symmetric",
                             "Weight>|Rounded>|Error>|With feedback>|Error then>"));
    for (size_t i = 0; i < K; i++)
        QZ_GOTO(qz_explain_row(x, "%.4g|%.4f|%+.4f|%.4f|%+.4f", (double)w[i], (double)r.v[i], (double)(w[i] - r.v[i]),
                               (double)fed[i], (double)(w[i] - fed[i])));
    qz_explain_say(x,
                   "output error %.5f by rounding each weight alone, %.5f when the second weight answers the first "
                   "one's error",
                   cost[0], cost[1]);
out:
    qz_hessian_release(&h);
    qz_mm_free(mm);
    return st;
}
