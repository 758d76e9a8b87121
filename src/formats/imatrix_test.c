/* Importance matrices. Outside truth: the 45-byte .dat example of formats/imatrix.md and the GGUF that llama-imatrix
 * (llama.cpp 0c1e57098) makes of it; both directions must give the other file byte for byte. */
#include "formats/imatrix.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/size.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char dat_path[] = "tests/golden/formats/imatrix.dat", gguf_path[] = "tests/golden/formats/imatrix.gguf";
static char out[] = "/tmp/qz_im_XXXXXX";

static void same_file(const char *a, const char *b) {
    char x[65], y[65];
    qz_error err = {0};
    assert_int_equal(qz_sha256_file_hex(a, x, &err), QZ_OK);
    assert_int_equal(qz_sha256_file_hex(b, y, &err), QZ_OK);
    assert_string_equal(x, y);
}

static void golden(void **state) {
    (void)state;
    const char *const paths[2] = { dat_path, gguf_path };
    for (int i = 0; i < 2; i++) {
        qz_imatrix im;
        qz_error err = {0};
        float w[2];
        if (qz_imatrix_open(&im, paths[i], &err) != QZ_OK) fail_msg("%s", err.text);
        assert_int_equal(im.n, 1);
        assert_int_equal(im.chunk_count, 2);
        assert_int_equal(im.chunk_size, i ? 512 : 0);
        assert_int_equal(im.n_datasets, 1);
        assert_string_equal(im.datasets[0], "t.txt");
        assert_int_equal(qz_imatrix_weights(&im, "a.weight", 2, w, &err), QZ_OK);
        assert_true(w[0] == 0.5f && w[1] == 1.5f);
        assert_int_equal(qz_imatrix_weights(&im, "a.weight", 3, w, &err), QZ_EFORMAT);
        err = (qz_error){0};
        assert_int_equal(qz_imatrix_weights(&im, "b.weight", 2, w, &err), QZ_EUSAGE);
        err = (qz_error){0};
        for (int dat = 0; dat < 2; dat++) { /* each form into each form */
            assert_int_equal(qz_imatrix_write(&im, out, dat, &err), QZ_OK);
            same_file(out, dat ? dat_path : gguf_path);
        }
        qz_imatrix_release(&im);
    }
}

static void experts(void **state) {
    (void)state;
    static const float dense[3] = { 3, 6, 9 }, moe[4] = { 4, 8, 0, 0 }, one[1] = { 3 }, counts[2] = { 4, 0 };
    qz_imatrix_entry e[2] = { { "blk.0.ffn_up_exps.weight", 2, 2, moe, counts },
                              { "blk.0.attn_q.weight", 3, 1, dense, one } };
    const char *sets[2] = { "a.txt", "b.txt" };
    const qz_imatrix_note note = { "quantz.model.sha256", "00", true };
    qz_imatrix im = { .entries = e, .n = 2, .datasets = sets, .n_datasets = 2, .chunk_count = 1, .chunk_size = 8,
                      .notes = &note, .n_notes = 1 }, back;
    qz_error err = {0};
    float w[4];
    assert_int_equal(qz_imatrix_write(&im, out, false, &err), QZ_OK);
    if (qz_imatrix_open(&back, out, &err) != QZ_OK) fail_msg("%s", err.text);
    assert_int_equal(back.n, 2);
    assert_string_equal(qz_imatrix_note_of(&back, "quantz.model.sha256"), "00");
    assert_null(qz_imatrix_note_of(&back, "general.type")); /* the format's own */
    assert_string_equal(back.entries[0].name, "blk.0.attn_q.weight"); /* sorted */
    assert_int_equal(back.entries[1].mats, 2);
    assert_int_equal(qz_imatrix_weights(&back, "blk.0.ffn_up_exps.weight", 4, w, &err), QZ_OK);
    assert_true(w[0] == 1 && w[1] == 2 && w[2] == 1 && w[3] == 1); /* an expert without rows counts evenly */
    for (size_t x = 0; x < 2; x++) { /* each expert's own slice */
        float part[2];
        assert_int_equal(qz_imatrix_part(&back, "blk.0.ffn_up_exps.weight", 4, 2 * x, 2, part, &err), QZ_OK);
        assert_true(part[0] == w[2 * x] && part[1] == w[2 * x + 1]);
    }
    assert_int_equal(qz_imatrix_part(&back, "blk.0.ffn_up_exps.weight", 4, 3, 2, w, &err), QZ_EFORMAT);
    assert_int_equal(qz_imatrix_part(&back, "blk.0.ffn_up_exps.weight", 8, 0, 2, w, &err), QZ_EFORMAT);
    err = (qz_error){0};
    assert_int_equal(qz_imatrix_weights(&back, "blk.0.attn_q.weight", 3, w, &err), QZ_OK);
    assert_true(w[0] == 1 && w[1] == 2 && w[2] == 3);
    qz_imatrix_release(&back);
}

static void refuse(const uint8_t *p, size_t n, const char *what) {
    qz_imatrix im;
    qz_error err = {0};
    uint8_t *copy = qz_alloc_array(n, 1); /* exact size: a read past the end is seen */
    memcpy(copy, p, n);
    if (qz_imatrix_open_memory(&im, copy, n, "mem", &err) == QZ_OK) fail_msg("%s: accepted", what);
    if (err.code != QZ_EFORMAT || !strstr(err.text, "'mem'")) fail_msg("%s: %s", what, err.text);
    qz_free(copy);
}

static void hostile(void **state) {
    (void)state;
    char *text;
    size_t n;
    qz_error err = {0};
    assert_int_equal(qz_read_file(dat_path, 100, &text, &n, &err), QZ_OK);
    uint8_t b[45], c[45];
    memcpy(b, text, 45);
    qz_free(text);
    for (size_t k = 0; k < 45; k++)
        if (k != 32 && k != 36) refuse(b, k, "truncated"); /* 32, 36: older files end there */
    const struct { size_t at; uint32_t v; const char *what; } bad[] = {
        { 0, 0, "no entries" }, { 0, 0xffffffff, "negative entries" }, { 0, 100, "too many entries" },
        { 4, 0xffffffff, "negative name length" }, { 4, 0x7fffffff, "long name" }, { 16, 0, "no calls" },
        { 20, 0xffffffff, "negative values" }, { 20, 7, "too many values" }, { 24, 0x7fc00000, "nan" },
        { 28, 0x7f800000, "inf" }, { 28, 0xbf800000, "negative importance" }, { 36, 0xfffffff0, "data set length" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(c, b, 45);
        qz_store_u32le(c + bad[i].at, bad[i].v);
        refuse(c, 45, bad[i].what);
    }
    for (size_t k = 0; k < 45; k++) { /* any byte damaged: an error or a clean result */
        qz_imatrix im;
        memcpy(c, b, 45);
        c[k] ^= 0x81;
        err = (qz_error){0};
        if (qz_imatrix_open_memory(&im, c, 45, "mem", &err) == QZ_OK) qz_imatrix_release(&im);
    }
    assert_int_equal(qz_read_file(gguf_path, 1000, &text, &n, &err), QZ_OK);
    text[0xd0] = '3'; /* in_sum2 -> in_sum3: nothing is left */
    refuse((const uint8_t *)text, n, "gguf without sums");
    qz_free(text);
}

static int setup(void **state) {
    (void)state;
    return close(mkstemp(out));
}
static int teardown(void **state) {
    (void)state;
    return unlink(out);
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(experts), cmocka_unit_test(hostile) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
