/* Hashes. Truth: XXH64 of the reference implementation (xxhsum 0.8), SHA-256 of FIPS 180-4's examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/hash.h"
#include "base/side_hash.h"

static uint64_t sum64(const void *p, size_t n) {
    qz_sum64 s = {0};
    qz_sum64_update(&s, p, n);
    return qz_sum64_final(&s);
}

static void xxh64(void **state) {
    (void)state;
    static const char text[] = "Nobody inspects the spammish repetition";
    assert_true(sum64("", 0) == 0xef46db3751d8e999u);
    assert_true(sum64("a", 1) == 0xd24ec4f1a98c6e5bu);
    assert_true(sum64("abc", 3) == 0x44bc2cf5ad770999u);
    assert_true(sum64(text, sizeof text - 1) == 0xfbcea83c8a378bf1u);
}

/* The same sum in any pieces, and another for any byte that changes. */
static void pieces(void **state) {
    (void)state;
    uint8_t p[333];
    for (size_t i = 0; i < sizeof p; i++) p[i] = (uint8_t)(i * 37 + i / 7);
    for (size_t n = 0; n <= sizeof p; n++) {
        const uint64_t want = sum64(p, n);
        for (size_t step = 1; step < 70; step += 3) {
            qz_sum64 s = {0};
            for (size_t at = 0; at < n; at += step) qz_sum64_update(&s, p + at, n - at < step ? n - at : step);
            assert_true(qz_sum64_final(&s) == want);
            assert_true(s.total == 0);
        }
        if (n == 0) continue;
        p[n / 2] ^= 4;
        assert_true(sum64(p, n) != want);
        p[n / 2] ^= 4;
    }
}

/* Buffers that are filled anew as soon as they may be: the sum of all of them in order. */
static void aside(void **state) {
    (void)state;
    enum { ROUNDS = 500, SIZE = 3000 };
    static uint8_t ring[QZ_SIDE_SLOTS][SIZE];
    qz_sha256 a = {0}, b = {0};
    char want[65], got[65];
    qz_side_hash *s = qz_side_hash_open(&a);
    assert_non_null(s);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint8_t *p = ring[i % QZ_SIDE_SLOTS];
        const size_t n = i * 7 % SIZE;
        qz_side_hash_wait(s, QZ_SIDE_SLOTS - 1);
        memset(p, (int)i, SIZE);
        qz_side_hash_add(s, p, n);
        qz_sha256_update(&b, p, n);
    }
    qz_side_hash_close(s);
    qz_sha256_final_hex(&a, got);
    qz_sha256_final_hex(&b, want);
    assert_string_equal(got, want);
    qz_sha256_bytes_hex("abc", 3, got);
    assert_string_equal(got, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(xxh64), cmocka_unit_test(pieces), cmocka_unit_test(aside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
