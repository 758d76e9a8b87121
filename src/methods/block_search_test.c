/* Block search: unpacking and packing the reference's blocks gives them back (golden bytes of llama.cpp); compat equals
 * those bytes on any thread count; best is never worse than compat on any row under the stated objective,
 * lower in total. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/io.h"
#include "base/size.h"
#include "codecs/fields.h"
#include "codecs/types.h"
#include "methods/block_search.h"

enum { ROWS = 20, COLS = 512 };
static const qz_type types[] = {QZ_TYPE_Q4_0, QZ_TYPE_Q4_1, QZ_TYPE_Q5_0, QZ_TYPE_Q5_1, QZ_TYPE_Q8_0, QZ_TYPE_Q2_K,
                                QZ_TYPE_Q3_K, QZ_TYPE_Q4_K, QZ_TYPE_Q5_K, QZ_TYPE_Q6_K,
                                QZ_TYPE_IQ2_XXS, QZ_TYPE_IQ2_XS, QZ_TYPE_IQ2_S, QZ_TYPE_IQ3_XXS, QZ_TYPE_IQ3_S,
                                QZ_TYPE_IQ1_S, QZ_TYPE_IQ1_M, QZ_TYPE_IQ4_NL, QZ_TYPE_IQ4_XS, QZ_TYPE_MXFP4,
                                QZ_TYPE_NVFP4, QZ_TYPE_TQ1_0, QZ_TYPE_TQ2_0, QZ_TYPE_Q2_0, QZ_TYPE_Q1_0};
enum { N_TYPES = sizeof types / sizeof types[0] };
static qz_error err;

static char *load(const char *name, size_t *n) {
    char path[200], *data = NULL;
    (void)snprintf(path, sizeof path, "tests/golden/quants/%s", name);
    if (qz_read_file(path, 1 << 24, &data, n, &err) != QZ_OK) fail_msg("%s", err.text);
    return data;
}
/* The reference encodes these with importance alone. */
static bool always_weighted(qz_type t) { return t == QZ_TYPE_IQ2_XXS || t == QZ_TYPE_IQ2_XS || t == QZ_TYPE_IQ1_S; }
static char *load_q(qz_type t, size_t *n) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s.%s.q", qz_type_get(t)->name, always_weighted(t) ? "im0" : "none");
    return load(name, n);
}

static void fields_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < N_TYPES; i++) {
        const qz_type t = types[i];
        const qz_type_info *info = qz_type_get(t);
        const qz_block_shape *s = qz_block_shape_get(t);
        assert_int_equal(s->subs * s->sub_len, info->elems);
        size_t n;
        char *q = load_q(t, &n);
        for (size_t b = 0; b < n / info->bytes; b++) {
            qz_block_fields f;
            uint8_t out[512];
            float y[256];
            const uint8_t *block = (const uint8_t *)q + b * info->bytes;
            qz_block_unpack(t, block, &f);
            qz_block_pack(t, &f, out);
            info->decode(block, info->elems, y);
            bool finite = true;
            for (size_t k = 0; k < info->elems; k++) finite = finite && y[k] == y[k] && y[k] - y[k] == 0;
            if (!finite) continue; /* undefined payload of the reference's infinities */
            if (memcmp(out, block, info->bytes) != 0) fail_msg("%s block %zu", info->name, b);
            for (size_t k = 0; k < info->elems; k++) {
                size_t u = k / s->sub_len;
                float v = qz_block_step(s, &f, u) * (float)f.q[k] - f.dmin * (float)f.m[u];
                if (!(v == y[k])) fail_msg("%s block %zu value %zu: %g, %g", info->name, b, k, (double)v, (double)y[k]);
            }
        }
        qz_free(q);
    }
}

static double row_error(qz_type t, const float *x, const float *w, const uint8_t *row) {
    float y[COLS];
    double e = 0;
    qz_type_get(t)->decode(row, COLS, y);
    for (size_t k = 0; k < COLS; k++)
        e += (w ? (double)w[k] : 1) * ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
    return e;
}

static void compat_and_best(void **state) {
    (void)state;
    size_t n, nw;
    float *x = (float *)(void *)load("input.f32", &n), *im = (float *)(void *)load("imatrix0.f32", &nw);
    assert_int_equal(n, ROWS * COLS * 4);
    qz_run one, two;
    assert_int_equal(qz_run_init(&one, 1, &err), QZ_OK);
    assert_int_equal(qz_run_init(&two, 2, &err), QZ_OK);
    const size_t rows = 8; /* 8 … hold the reference's subnormals and infinities */
    for (size_t i = 0; i < N_TYPES; i++)
        for (int weighted = 0; weighted < 2; weighted++) {
            const float *w = weighted ? im : NULL;
            qz_arena a = {0};
            qz_quantized c, c2, b, b2;
            assert_int_equal(qz_block_quantize(&(qz_block_job){&one, types[i], x, rows, COLS, w, QZ_SEARCH_COMPAT}, &a,
                                               &c, &err),
                             QZ_OK);
            assert_int_equal(qz_block_quantize(&(qz_block_job){&two, types[i], x, rows, COLS, w, QZ_SEARCH_COMPAT}, &a,
                                               &c2, &err),
                             QZ_OK);
            assert_int_equal(qz_block_quantize(&(qz_block_job){&one, types[i], x, rows, COLS, w, QZ_SEARCH_BEST}, &a,
                                               &b, &err),
                             QZ_OK);
            assert_int_equal(qz_block_quantize(&(qz_block_job){&two, types[i], x, rows, COLS, w, QZ_SEARCH_BEST}, &a,
                                               &b2, &err),
                             QZ_OK);
            assert_memory_equal(c.blocks, c2.blocks, c.bytes);
            assert_memory_equal(b.blocks, b2.blocks, b.bytes);
            if (!weighted && !always_weighted(types[i])) {
                char *golden = load_q(types[i], &n);
                assert_memory_equal(c.blocks, golden, c.bytes);
                qz_free(golden);
            }
            double before = 0, after = 0;
            for (size_t r = 0; r < rows; r++) {
                double ec = row_error(types[i], x + r * COLS, w, c.blocks + r * c.bytes / rows),
                       eb = row_error(types[i], x + r * COLS, w, b.blocks + r * b.bytes / rows);
                if (!(eb <= ec * (1 + 1e-6)))
                    fail_msg("%s row %zu: best %g, compat %g", qz_type_get(types[i])->name, r, eb, ec);
                before += ec;
                after += eb;
            }
            /* the mean magnitude is the optimum of a sign without importance */
            if (!(after < before) && !(types[i] == QZ_TYPE_Q1_0 && !weighted && after <= before))
                fail_msg("%s: best %g is not below compat %g", qz_type_get(types[i])->name, after, before);
            qz_arena_release(&a);
        }
    qz_run_release(&one);
    qz_run_release(&two);
    qz_free(x);
    qz_free(im);
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields_round_trip), cmocka_unit_test(compat_and_best)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
