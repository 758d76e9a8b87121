/* 8-bit floats against torch 2.15.0: every code's value, every value back to its code, and every
 * rounding edge (C-47). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <stdbool.h>
#include "base/bytes.h"
#include "codecs/small_float.h"
#include "base/half.h"

static void every_code(void **state) {
    (void)state;
    FILE *f = fopen("tests/golden/small_float/float_tables.txt", "r");
    assert_non_null(f);
    char line[160], type[16];
    unsigned code, bits, seen = 0;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%15s %2x %8x", type, &code, &bits) != 3 || line[0] == '#') continue;
        const bool e8 = strcmp(type, "e8m0fnu") == 0;
        const qz_small_float t = strcmp(type, "e5m2") == 0 ? QZ_E5M2 : QZ_E4M3FN;
        const float want = qz_bits_f32(bits),
                    got = e8 ? qz_e8m0_decode((uint8_t)code) : qz_small_decode(t, (uint8_t)code);
        seen++;
        if (isnan(want)) {
            assert_true(isnan(got));
            continue;
        }
        if (qz_f32_bits(got) != bits) fail_msg("%s %02x: %g, expected %g", type, code, (double)got, (double)want);
        if (!e8 && isfinite(want)) assert_int_equal(qz_small_encode(t, want), code);
    }
    (void)fclose(f);
    assert_int_equal(seen, 3 * 256);
    assert_true(qz_small_max(QZ_E4M3FN) == 448 && qz_small_min(QZ_E4M3FN) == 0x1p-9f &&
                qz_small_max(QZ_E5M2) == 57344 && qz_small_max(QZ_E2M1) == 6);
}

static void every_edge(void **state) {
    (void)state;
    FILE *f = fopen("tests/golden/small_float/fp32_edges.txt", "r");
    assert_non_null(f);
    char line[160];
    unsigned bits, e4, e4c, e5, e5c, seen = 0;
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#' || sscanf(line, "%8x %2x %2x %2x %2x", &bits, &e4, &e4c, &e5, &e5c) != 5) continue;
        const float x = qz_bits_f32(bits);
        seen++;
        if (isnan(x)) {
            assert_true(isnan(qz_small_decode(QZ_E4M3FN, qz_small_encode(QZ_E4M3FN, x))) &&
                        isnan(qz_small_decode(QZ_E5M2, qz_small_encode(QZ_E5M2, x))));
            continue;
        }
        const float c4 = fminf(fmaxf(x, -448), 448), c5 = fminf(fmaxf(x, -57344), 57344);
        if (qz_small_encode(QZ_E4M3FN, x) != e4 || qz_small_encode(QZ_E4M3FN, c4) != e4c ||
            qz_small_encode(QZ_E5M2, x) != e5 || qz_small_encode(QZ_E5M2, c5) != e5c)
            fail_msg("%08x: %02x %02x %02x %02x, expected %02x %02x %02x %02x", bits, qz_small_encode(QZ_E4M3FN, x),
                     qz_small_encode(QZ_E4M3FN, c4), qz_small_encode(QZ_E5M2, x), qz_small_encode(QZ_E5M2, c5), e4, e4c,
                     e5, e5c);
    }
    (void)fclose(f);
    assert_true(seen > 1700);
}

/* The eight values of FP4, and ties between them to the even code. */
static void four_bits(void **state) {
    (void)state;
    static const float values[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6}, ties[7] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f,
                                    5};
    static const uint8_t even[7] = {0, 2, 2, 4, 4, 6, 6};
    for (unsigned i = 0; i < 8; i++) {
        assert_true(qz_small_decode(QZ_E2M1, (uint8_t)i) == values[i] &&
                    qz_small_decode(QZ_E2M1, (uint8_t)(i + 8)) == -values[i]);
        assert_int_equal(qz_small_encode(QZ_E2M1, values[i]), i);
    }
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(qz_small_encode(QZ_E2M1, ties[i]), even[i]);
        assert_int_equal(qz_small_encode(QZ_E2M1, -ties[i]), even[i] | 8);
    }
    assert_int_equal(qz_small_encode(QZ_E2M1, 1e9f), 7);
}

/* The bit-free rounding to float16 is the conversion there and back: 17 million patterns over all, and every half with
 * its midpoints and their neighbours. */
static void one_half(uint32_t u) {
    const float f = qz_bits_f32(u), want = qz_f16_to_f32(qz_f32_to_f16(f)), found = qz_f16_nearest(f);
    if (isnan(want) ? !isnan(found) : qz_f32_bits(want) != qz_f32_bits(found))
        fail_msg("%08x: expected %a, found %a", u, (double)want, (double)found);
}
static void nearest_half(void **state) {
    (void)state;
    for (uint64_t u = 0; u < (1ull << 32); u += 251) one_half((uint32_t)u);
    for (uint32_t h = 0; h < 0x7c00; h++)
        for (uint32_t d = 0; d < 9; d++) {
            const uint32_t lo = qz_f32_bits(qz_f16_to_f32((uint16_t)h)),
                           hi = qz_f32_bits(qz_f16_to_f32((uint16_t)(h + 1)));
            const uint32_t mid = qz_f32_bits((qz_bits_f32(lo) + (h + 1 < 0x7c00 ? qz_bits_f32(hi) : 65536)) / 2);
            const uint32_t u = (d < 3 ? lo : d < 6 ? mid : hi) + d % 3 - 1;
            one_half(u), one_half(u | 0x80000000u);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nearest_half), cmocka_unit_test(every_code),
                                       cmocka_unit_test(every_edge), cmocka_unit_test(four_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
