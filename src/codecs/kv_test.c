/* The formula for a cache's bytes against figures of others: formats/kv-cache.md, C-109, C-164,
 * llama.cpp's block sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "codecs/kv.h"

static uint64_t token_of(qz_kv_entry e) {
    uint64_t n = 0;
    qz_error err = {0};
    if (qz_kv_token_bytes(&e, "m", &n, &err) != QZ_OK) fail_msg("%s", err.text);
    return n;
}
static uint64_t cache(uint64_t token, uint64_t layers, uint64_t sequences, uint64_t tokens) {
    uint64_t n = 0;
    assert_true(qz_kv_cache_bytes(token, layers, sequences, tokens, &n));
    return n;
}

static void figures(void **state) {
    (void)state;
    const qz_kv_types f16 = {QZ_KV_F16, QZ_KV_F16}, mixed = {QZ_KV_Q8_0, QZ_KV_Q4_0}, f32 = {QZ_KV_F32, QZ_KV_F32},
                             int8 = {QZ_KV_INT8, QZ_KV_INT8};
    assert_int_equal(token_of((qz_kv_entry){f16, 8, 128, 128}) * 32, 131072);      /* Llama 3 8B: 128 KiB a token */
    /* Llama 3 70B, C-164 */
    assert_int_equal(cache(token_of((qz_kv_entry){f16, 8, 128, 128}), 80, 128, 2048), 85899345920);
    assert_int_equal(token_of((qz_kv_entry){f32, 8, 128, 128}), 2 * token_of((qz_kv_entry){f16, 8, 128, 128}));
    /* blocks of 32: 34 and 18 bytes */
    assert_int_equal(token_of((qz_kv_entry){mixed, 8, 128, 128}), 8 * (4 * 34 + 4 * 18));
    /* a float32 scale per token and head */
    assert_int_equal(token_of((qz_kv_entry){int8, 8, 128, 128}), 8 * 2 * (128 + 4));
    /* DeepSeek V3: latent and roped part, once */
    assert_int_equal(token_of((qz_kv_entry){f16, 1, 512 + 64, 0}), 1152);
    assert_int_equal(cache(token_of((qz_kv_entry){f16, 8, 128, 128}), 0, 1, 4096), 0);
}
static void bounds(void **state) {
    (void)state;
    uint64_t n = 7;
    qz_error err = {0};
    assert_false(qz_kv_cache_bytes(UINT64_MAX / 2, 3, 1, 1, &n));
    assert_false(qz_kv_cache_bytes(UINT64_MAX, 1, 1, 1, &n));
    assert_int_equal(n, 7);
    assert_int_equal(qz_kv_token_bytes(&(qz_kv_entry){{QZ_KV_Q8_0, QZ_KV_F16}, 4, 80, 80}, "m", &n, &err),
                                                      QZ_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "head_dim 80"));
    err = (qz_error){0};
    assert_int_equal(qz_kv_token_bytes(&(qz_kv_entry){{QZ_KV_F16, QZ_KV_F16}, UINT64_MAX / 2, 80, 80}, "m", &n, &err),
                                                      QZ_EUSAGE);
}
static void names(void **state) {
    (void)state;
    qz_kv_types t;
    qz_error err = {0};
    assert_int_equal(qz_kv_types_parse("Q8_0/float16", &t, &err), QZ_OK);
    assert_int_equal(t.k, QZ_KV_Q8_0);
    assert_int_equal(t.v, QZ_KV_F16);
    assert_int_equal(qz_kv_types_parse("q8_1", &t, &err), QZ_EUSAGE);
    for (int i = 0; i < QZ_KV_TYPE_COUNT; i++) { /* the message names every row */
        if (strstr(strstr(err.text, "known: "), qz_kv_type_get((qz_kv_type)i)->name) == NULL) fail_msg("%s", err.text);
        assert_int_equal(qz_kv_types_parse(qz_kv_type_get((qz_kv_type)i)->name, &t, NULL), QZ_OK);
        assert_int_equal(t.v, i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures), cmocka_unit_test(bounds), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
