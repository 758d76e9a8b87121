/* Integer group codec against AutoAWQ 0.2.9 (tests/golden/int_group: manifest.tsv lists the raw arrays, extracted from
 * its vectors; gemm_* codes and zeros are unpacked from the stored words) and against the definition of
 * a bit stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/half.h"
#include "base/io.h"
#include "base/rng.h"
#include "base/size.h"
#include "codecs/int_group.h"

static void *load(const char *name, size_t bytes) {
    char path[256], *p = NULL;
    size_t len = 0;
    qz_error err = {0};
    (void)snprintf(path, sizeof path, "tests/golden/int_group/%s", name);
    if (qz_read_file(path, 1u << 20, &p, &len, &err) != QZ_OK) fail_msg("%s", err.text);
    if (len != bytes) fail_msg("%s: %zu bytes, expected %zu", path, len, bytes);
    return p;
}

/* The group quantizer alone in float32: scales, zeros and dequantized values bit for bit. */
static void rtn_case(const char *name, bool sym) {
    enum { ROWS = 4, COLS = 64, G = 32, GROUPS = COLS / G };
    char file[64];
    (void)snprintf(file, sizeof file, "%s.weight.f32", name);
    float *w = load(file, ROWS * COLS * 4);
    (void)snprintf(file, sizeof file, "%s.scales.f32", name);
    float *scales = load(file, ROWS * GROUPS * 4);
    (void)snprintf(file, sizeof file, "%s.dequant.f32", name);
    float *want = load(file, ROWS * COLS * 4);
    float *zeros = sym ? NULL : load("asym_g32.zeros.f32", ROWS * GROUPS * 4);
    for (size_t r = 0; r < ROWS; ++r) {
        uint8_t codes[COLS], z[GROUPS];
        float s[GROUPS];
        qz_int_group_rtn_row(w + r * COLS, COLS, G, 4, sym, (qz_int_row){codes, s, z});
        assert_memory_equal(s, scales + r * GROUPS, sizeof s);
        for (size_t g = 0; g < GROUPS; ++g) assert_int_equal(z[g], sym ? 8 : (int)zeros[r * GROUPS + g]);
        for (size_t k = 0; k < COLS; ++k)
            assert_true((float)((int)codes[k] - z[k / G]) * s[k / G] == want[r * COLS + k]);
    }
    qz_free(w), qz_free(scales), qz_free(want), qz_free(zeros);
}
static void rtn_asym(void **state) {
    (void)state;
    rtn_case("asym_g32", false);
}
static void rtn_sym(void **state) {
    (void)state;
    rtn_case("sym_g32", true);
}

/* Stored codes, zeros and scales of a file decode to the library's float16 values. */
static void decode_case(const char *name, size_t rows, size_t cols, size_t group) {
    char file[64];
    size_t groups = cols / group, rb = qz_int_group_row_bytes(4, cols);
    (void)snprintf(file, sizeof file, "%s.codes.u8", name);
    uint8_t *codes = load(file, rows * cols);
    (void)snprintf(file, sizeof file, "%s.zeros.u8", name);
    uint8_t *zeros = load(file, rows * groups);
    (void)snprintf(file, sizeof file, "%s.scales.f16", name);
    uint16_t *scales = load(file, rows * groups * 2);
    (void)snprintf(file, sizeof file, "%s.dequant.f16", name);
    uint16_t *want = load(file, rows * cols * 2);
    uint8_t *packed = qz_alloc_array(rows, rb);
    float *y = qz_alloc_array(cols, sizeof *y), *part = qz_alloc_array(cols, sizeof *y);
    uint32_t *g_idx = qz_alloc_array(cols, sizeof *g_idx);
    for (size_t r = 0; r < rows; ++r) qz_int_pack_row(codes + r * cols, cols, 4, packed + r * rb);
    for (size_t k = 0; k < cols; ++k) g_idx[k] = (uint32_t)(k / group);
    qz_int_group g = {.bits = 4, .group_size = (uint32_t)group, .rows = rows, .cols = cols, .groups = groups,
                      .codes = packed,
                      .scales = scales, .zero_points = zeros};
    for (size_t r = 0; r < rows; ++r) {
        g.g_idx = NULL;
        qz_int_group_decode_row(&g, r, y);
        for (size_t k = 0; k < cols; ++k) assert_int_equal(qz_f32_to_f16(y[k]), want[r * cols + k]);
        qz_int_group_decode_part(&g, r, 40, cols - 40, part);
        assert_memory_equal(part, y + 40, (cols - 40) * sizeof *y);
        g.g_idx = g_idx; /* act_order with the identity order gives the same */
        qz_int_group_decode_row(&g, r, part);
        assert_memory_equal(part, y, cols * sizeof *y);
    }
    qz_free(codes), qz_free(zeros), qz_free(scales), qz_free(want), qz_free(packed), qz_free(y), qz_free(part),
        qz_free(g_idx);
}
static void decode_files(void **state) {
    (void)state;
    decode_case("gemm_g128", 32, 256, 128);
    decode_case("gemm_g32", 32, 128, 32);
}

/* Bit i of the stream is bit i%bits of code i/bits; unused bits of the last byte are 0. */
static void bit_stream(void **state) {
    (void)state;
    qz_rng rng;
    qz_rng_seed(&rng, 1);
    uint8_t codes[100], packed[101], back[100];
    for (uint32_t bits = 2; bits <= 8; ++bits)
        for (size_t cols = 0; cols <= 100; ++cols) {
            size_t bytes = qz_int_group_row_bytes(bits, cols);
            assert_int_equal(bytes, (cols * bits + 7) / 8);
            for (size_t i = 0; i < cols; ++i) codes[i] = (uint8_t)qz_rng_below(&rng, 1u << bits);
            memset(packed, 0xa5, sizeof packed);
            qz_int_pack_row(codes, cols, bits, packed);
            for (size_t i = 0; i < bytes * 8; ++i)
                assert_int_equal(packed[i / 8] >> (i % 8) & 1, i / bits < cols ? codes[i / bits] >> (i % bits) & 1 : 0);
            assert_int_equal(packed[bytes], 0xa5);
            qz_int_unpack_row(packed, cols, bits, back);
            assert_memory_equal(back, codes, cols);
        }
}

/* Edge groups: constants, zeros, one-sided groups saturate as the reference's do. */
static void rtn_edges(void **state) {
    (void)state;
    float w[8], s;
    uint8_t q[8], z;
    memset(w, 0, sizeof w);
    qz_int_group_rtn_row(w, 8, 8, 4, false, (qz_int_row){q, &s, &z});
    assert_true(s == 1e-5f / 15 && z == 0 && q[0] == 0);
    qz_int_group_rtn_row(w, 8, 8, 3, true, (qz_int_row){q, &s, &z});
    assert_true(s == 1e-5f / 3 && z == 4 && q[7] == 4);
    for (size_t i = 0; i < 8; ++i) w[i] = 1000.0f + (float)i; /* far above 15·s: z = 0 and every code saturates */
    qz_int_group_rtn_row(w, 8, 8, 4, false, (qz_int_row){q, &s, &z});
    assert_true(z == 0 && q[0] == 15 && q[7] == 15);
    for (size_t i = 0; i < 8; ++i) w[i] = -w[i];
    qz_int_group_rtn_row(w, 8, 8, 4, false, (qz_int_row){q, &s, &z});
    assert_true(z == 15 && q[0] == 0 && q[7] == 0);
    for (uint32_t bits = 2; bits <= 8; ++bits) { /* a group that spans its range uses both end codes */
        for (size_t i = 0; i < 8; ++i) w[i] = (float)i - 3.5f;
        qz_int_group_rtn_row(w, 8, 8, bits, false, (qz_int_row){q, &s, &z});
        assert_true(q[0] == 0 || z > 0);
        assert_in_range(q[7], (1u << bits) - 2, (1u << bits) - 1);
    }
}

/* −1 outside, one word inside, columns once they are known: the whole row stays a whole row both ways. */
static void whole_rows(void **state) {
    (void)state;
    assert_int_equal(qz_group_read(-1), QZ_WHOLE_ROW);
    assert_int_equal(qz_group_written(QZ_WHOLE_ROW), -1);
    assert_int_equal(qz_group_columns(QZ_WHOLE_ROW, 4864), 4864);
    for (long g = 16; g <= 1024; g *= 2) {
        assert_int_equal(qz_group_written(qz_group_read(g)), g);
        assert_int_equal(qz_group_columns(qz_group_read(g), 4864), g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_rows), 
        cmocka_unit_test(rtn_asym),   cmocka_unit_test(rtn_sym),   cmocka_unit_test(decode_files),
        cmocka_unit_test(bit_stream), cmocka_unit_test(rtn_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
