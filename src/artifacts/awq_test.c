/* AWQ packing. Outside truth: files and dequantizations of AutoAWQ 0.2.9 (tests/golden/artifacts/awq.safetensors) and
 * the words worked out in formats/hf-awq.md section 7. Every word and every dequantized value is
 * compared bit for bit. */
#include "codecs/int_group.h"
#include "artifacts/awq_int.h"
#include "artifacts/testing.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/size.h"
#include <math.h>

static qz_st golden;

static const qz_st_tensor *get(const char *set, const char *name) { return golden_tensor(&golden, set, name); }
static float half_at(const qz_st_tensor *t, size_t i) { return qz_f16_to_f32(qz_load_u16le(t->data + 2 * i)); }

/* Codes from the library's own quantize-dequantize result: (w' / s) + z is a whole number. */
static void codes_of(const char *set, uint8_t *codes, uint8_t *zeros, size_t *n, size_t *k, size_t *g) {
    const qz_st_tensor *w = get(set, "pseudo_dequant"), *s = get(set, "scales_oc_g"), *z = get(set, "zeros_oc_g");
    *n = (size_t)w->dims[0], *k = (size_t)w->dims[1], *g = (size_t)s->dims[1];
    for (size_t i = 0; i < *n * *k; i++) {
        size_t at = i / *k * *g + i % *k / (*k / *g);
        codes[i] = (uint8_t)lrintf(half_at(w, i) / half_at(s, at) + half_at(z, at));
    }
    for (size_t i = 0; i < *n * *g; i++) zeros[i] = (uint8_t)lrintf(half_at(z, i));
}

static void pack_gemm(void **state) {
    (void)state;
    static const char *const sets[] = { "gemm_g128", "gemm_g32" };
    static uint8_t codes[32 * 256], zeros[32 * 8];
    static uint32_t words[256 * 4];
    for (size_t i = 0; i < 2; i++) {
        size_t n, k, g;
        codes_of(sets[i], codes, zeros, &n, &k, &g);
        qz_awq_pack_codes(codes, n, k, NULL, 0, k, words);
        assert_memory_equal(words, get(sets[i], "qweight")->data, k * n / 2);
        for (size_t j = 0; j < g; j++) {
            qz_awq_pack_zeros(zeros, n, g, NULL, j, words);
            assert_memory_equal(words, get(sets[i], "qzeros")->data + j * n / 2, n / 2);
        }
    }
    const uint8_t out8[32] = { 1, 15, 7, 10, 4, 12, 9, 7 }, zero8[32] = { 0, 15, 7, 12, 3, 13, 10, 5 };
    qz_awq_pack_codes(out8, 32, 1, NULL, 0, 1, words);
    assert_int_equal(words[0], 0x7caf9471u);
    qz_awq_pack_zeros(zero8, 32, 1, NULL, 0, words);
    assert_int_equal(words[0], 0x5dcfa370u);
}

/* Our decoding of a file, rounded to float16, is the library's own dequantized matrix. */
static void decode(const char *set, const char *truth, bool gemv) {
    static uint8_t codes[32 * 128], zeros[32 * 8];
    static uint16_t scales[32 * 8];
    static float row[256];
    const qz_st_tensor *w = get(set, "qweight"), *z = get(set, "qzeros"), *s = get(set, "scales"),
                       *d = get(truth, "dequant_in_out");
    size_t n = (size_t)d->dims[1], k = (size_t)d->dims[0], groups = (size_t)get(truth, "scales_oc_g")->dims[1];
    const qz_awq_words words = {w->data, z->data, s->data, n, k, groups, (size_t)z->dims[1], codes, zeros, scales};
    if (gemv) {
        qz_awq_unpack_gemv(&words, 0, 16);
        qz_awq_unpack_gemv(&words, 16, n);
    } else {
        /* in two parts, as threads do */
        qz_awq_unpack_gemm(&words, 8, n);
        qz_awq_unpack_gemm(&words, 0, 8);
    }
    qz_int_group g = { .bits = 4, .group_size = (uint32_t)(k / groups), .rows = n, .cols = k, .groups = groups,
                       .codes = codes, .scales = scales,
                       .zero_points = zeros };
    for (size_t r = 0; r < n; r++) {
        qz_int_group_decode_row(&g, r, row);
        for (size_t c = 0; c < k; c++)
            if ((qz_f32_to_f16(row[c]) & 0x7fff) != (qz_load_u16le(d->data + 2 * (c * n + r)) & 0x7fff) ||
                /* -0 and 0 are one value */
                (row[c] != 0 && qz_f32_to_f16(row[c]) != qz_load_u16le(d->data + 2 * (c * n + r))))
                fail_msg("%s [%zu, %zu]: %g", set, r, c, (double)row[c]);
    }
}
static void decode_files(void **state) {
    (void)state;
    decode("gemm_g128", "gemm_g128", false);
    decode("gemm_g32", "gemm_g32", false);
    decode("gemv_g128", "gemm_g128", true);
    decode("gemv_g32", "gemm_g32", true);
}

/* The same codes in the layouts of other kernels. */
static void decode_fast(void **state) {
    (void)state;
    static const char *const sets[] = { "g128", "g32" };
    static uint8_t codes[32 * 128], zeros[32 * 8], want[32 * 256], want_zeros[32 * 8], got[256];
    for (size_t i = 0; i < 2; i++) {
        char gemm[32], fast[32];
        size_t n, k, g;
        snprintf(gemm, sizeof gemm, "gemm_%s", sets[i]);
        snprintf(fast, sizeof fast, "gemv_fast_%s", sets[i]);
        codes_of(gemm, want, want_zeros, &n, &k, &g);
        memset(codes, 0, sizeof codes);
        qz_awq_unpack_fast(get(fast, "qweight")->data, k, 16, n, codes);
        qz_awq_unpack_fast(get(fast, "qweight")->data, k, 0, 16, codes);
        for (size_t r = 0; r < n; r++) {
            qz_int_unpack_row(codes + r * (k / 2), k, 4, got);
            assert_memory_equal(got, want + r * k, k);
            for (size_t j = 0; j < g; j++) {
                float s = half_at(get(fast, "scales"), j * n + r), z = half_at(get(fast, "qzeros"), j * n + r);
                assert_true(s == half_at(get(gemm, "scales"), j * n + r));
                assert_true(qz_awq_scaled_zero(s, z, &zeros[r * g + j]));
                assert_int_equal(zeros[r * g + j], want_zeros[r * g + j]);
            }
        }
    }
    uint8_t z;
    assert_false(qz_awq_scaled_zero(1.0f, -3.5f, &z) || qz_awq_scaled_zero(1.0f, 2.0f, &z) ||
                 qz_awq_scaled_zero(1.0f, NAN, &z));
}

static void decode_marlin(void **state) {
    (void)state;
    static uint8_t codes[64 * 128], got[256];
    const qz_st_tensor *w = get("marlin_g128", "qweight"), *s = get("marlin_g128", "scales"),
                       *d = get("marlin_g128", "pseudo_dequant");
    const qz_st_tensor *plain = get("marlin_g128", "scales_oc_g");
    qz_awq_unpack_marlin(w->data, 64, 256, 0, 64, codes);
    for (size_t n = 0; n < 64; n++) {
        qz_int_unpack_row(codes + n * 128, 256, 4, got);
        for (size_t k = 0; k < 256; k++) {
            float scale = half_at(s, k / 128 * 64 + qz_awq_marlin_scale(n, false));
            assert_true(scale == half_at(plain, n * 2 + k / 128));
            float v = (float)((int)got[k] - 8) * scale;
            if (qz_f16_to_f32(qz_f32_to_f16(v)) != half_at(d, n * 256 + k)) fail_msg("[%zu, %zu]: %g", n, k, (double)v);
        }
    }
    bool seen[32] = { false }; /* scales of whole rows: a permutation */
    for (size_t n = 0; n < 32; n++) seen[qz_awq_marlin_scale(n, true)] = true;
    for (size_t n = 0; n < 32; n++) assert_true(seen[n]);
}

static int setup(void **state) {
    (void)state;
    qz_error err = {0};
    return qz_st_open(&golden, "tests/golden/artifacts/awq.safetensors", &err) == QZ_OK
               ? 0
               : (fprintf(stderr, "%s\n", err.text), -1);
}
static int teardown(void **state) {
    (void)state;
    qz_st_release(&golden);
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pack_gemm), cmocka_unit_test(decode_files),
                                       cmocka_unit_test(decode_fast), cmocka_unit_test(decode_marlin) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
