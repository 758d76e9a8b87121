/* Merged adapters against PEFT's merge_and_unload (tests/golden/lora, made by tests/interop/make_lora.py: peft 0.21.2,
 * torch, float32): every tensor that it changes, and no other; each value the nearest of the stored type to PEFT's
 * float32 result. Ranks and alphas by pattern, rslora, an adapted embedding, a whole output matrix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "base/size.h"
#include "produce/merge.h"

static qz_error err;
static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}
static void merge(qz_run *run, char **operands, size_t n, const char *out) {
    const qz_request r = {.operands = operands, .n_operands = n, .output = out};
    qz_merge m = {.run = run, .r = &r, .out = out};
    must(qz_merge_find(&m, &err));
    must(qz_merge_write(&m, &err));
    qz_merge_release(&m);
}

/* Row r of ours is PEFT's, rounded once; its sums run in another order. */
static void check_row(const qz_st_tensor *got, size_t r, const float *want, size_t cols) {
    float *x = qz_alloc_array((size_t)got->elems, sizeof *x);
    qz_adapter_floats(got, x);
    for (size_t k = 0; k < cols; k++) {
        int exp;
        (void)frexpf(want[k], &exp);
        const double half = ldexp(1, exp - 9), d = fabs((double)x[r * cols + k] - (double)want[k]);
        if (d > half * 1.001 + 1e-6)
            fail_msg("%s: row %zu, column %zu: %.9g, expected %.9g", got->name, r, k, (double)x[r * cols + k],
                     (double)want[k]);
    }
    qz_free(x);
}

static void check(const char *base, const char *golden, const char *out) {
    qz_st_dir was, now;
    qz_st ends;
    char path[256];
    size_t changed = 0;
    (void)snprintf(path, sizeof path, "%s/merged.safetensors", golden);
    must(qz_st_open(&ends, path, &err));
    must(qz_st_dir_open(&was, base, &err));
    must(qz_st_dir_open(&now, out, &err));
    assert_int_equal(was.n_files, now.n_files);
    assert_int_equal(was.n_tensors, now.n_tensors);
    for (size_t f = 0; f < was.n_files; f++)
        for (size_t i = 0; i < was.files[f].n; i++) {
            const qz_st_tensor *a = &was.files[f].tensors[i], *b = &now.files[f].tensors[i],
                               *e = qz_st_find(&ends, a->name);
            assert_string_equal(a->name, b->name);
            assert_int_equal(a->bytes, b->bytes);
            changed += e != NULL;
            if (e == NULL && memcmp(a->data, b->data, (size_t)a->bytes) != 0) fail_msg("'%s' has changed", a->name);
            if (e == NULL) continue;
            const size_t cols = (size_t)a->dims[1], rows = (size_t)a->dims[0];
            float *want = qz_alloc_array(2 * cols, sizeof *want);
            qz_adapter_floats(e, want);
            check_row(b, 0, want, cols);
            check_row(b, rows - 1, want + cols, cols);
            qz_free(want);
        }
    assert_int_equal(changed, ends.n);
    qz_st_dir_release(&was);
    qz_st_dir_release(&now);
    qz_st_release(&ends);
}

static void as_peft(void **state) {
    (void)state;
    static const char *const sets[][2] = {{"llama-plain", "llama"}, {"llama-rslora", "llama"},
                                          {"llama-whole", "llama"}, {"llama-embed", "llama"},
                                          {"qwen3_moe-experts", "qwen3_moe-sparse"}};
    char folder[] = "/tmp/quantz-merge-XXXXXX", out[64], base[64], golden[64];
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        qz_run run;
        must(qz_run_init(&run, 1 + i % 2, &err));
        (void)snprintf(out, sizeof out, "%s/%zu", folder, i);
        (void)snprintf(base, sizeof base, "tests/golden/zoo/%s", sets[i][1]);
        (void)snprintf(golden, sizeof golden, "tests/golden/lora/%s", sets[i][0]);
        char *operands[] = {base, golden};
        merge(&run, operands, 2, out);
        check(base, golden, out);
        must(qz_remove_tree(out, &err));
        qz_run_release(&run);
    }
    must(qz_remove_tree(folder, &err));
}

/* One after the other: what the second does is added to the first's float32 values; with weight 0 it does nothing. */
static void in_order(void **state) {
    (void)state;
    char folder[] = "/tmp/quantz-merge-XXXXXX", one[64], two[64], base[] = "tests/golden/zoo/llama",
         plain[] = "tests/golden/lora/llama-plain", none[] = "tests/golden/lora/llama-rslora:0";
    char *operands[] = {base, plain, none};
    qz_run run;
    qz_st_dir a, b;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(one, sizeof one, "%s/one", folder);
    (void)snprintf(two, sizeof two, "%s/two", folder);
    must(qz_run_init(&run, 2, &err));
    merge(&run, operands, 2, one);
    merge(&run, operands, 3, two);
    must(qz_st_dir_open(&a, one, &err));
    must(qz_st_dir_open(&b, two, &err));
    for (size_t f = 0; f < a.n_files; f++)
        for (size_t i = 0; i < a.files[f].n; i++) {
            const qz_st_tensor *x = &a.files[f].tensors[i], *y = &b.files[f].tensors[i];
            if (memcmp(x->data, y->data, (size_t)x->bytes) != 0) fail_msg("'%s' differs", x->name);
        }
    qz_st_dir_release(&a);
    qz_st_dir_release(&b);
    qz_run_release(&run);
    must(qz_remove_tree(one, &err));
    must(qz_remove_tree(two, &err));
    must(qz_remove_tree(folder, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_peft), cmocka_unit_test(in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
