/* Adapters as GGUF against the files of llama.cpp's converter (tests/golden/lora, made by tests/interop/make_lora.py
 * with convert_lora_to_gguf.py of llama-cpp-python 0.3.36): every byte where llama.cpp's scale is the adapter's; where
 * it is not, every key and tensor but what carries the scale, and that by the factor that is missing there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "artifacts/adapter_gguf.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"

static qz_error err;
static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}

typedef struct { const char *name, *base, *file; qz_type type; } sample;
static char folder[] = "/tmp/quantz-adapter-XXXXXX", out[80], golden[96];

/* Writes the adapter; *want: the converter's file. */
static void convert(const sample *s, size_t *scaled) {
    char path[96];
    qz_adapter a;
    qz_config c;
    qz_run run;
    must(qz_run_init(&run, 1, &err));
    (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/config.json", s->base);
    must(qz_config_load(path, &c, &err));
    (void)snprintf(path, sizeof path, "tests/golden/lora/%s", s->name);
    must(qz_adapter_open(path, &a, &err));
    qz_adapter_gguf g = {.adapter = &a, .base = &c, .type = s->type, .name = s->name};
    must(qz_adapter_gguf_plan(&run, &g, &err));
    (void)snprintf(out, sizeof out, "%s/a.gguf", folder);
    must(qz_adapter_gguf_write(&g, out, &err));
    *scaled = g.scaled;
    qz_adapter_gguf_release(&g);
    qz_adapter_release(&a);
    qz_run_release(&run);
    (void)snprintf(golden, sizeof golden, "tests/golden/lora/%s/%s", s->name, s->file);
}

static void same_bytes(void **state) {
    (void)state;
    static const sample rows[] = {{"qwen3_moe-experts", "qwen3_moe-sparse", "adapter.f32.gguf", QZ_TYPE_F32},
                                  {"llama-embed", "llama", "adapter.f32.gguf", QZ_TYPE_F32}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *x, *y;
        size_t n, m, scaled;
        convert(&rows[i], &scaled);
        must(qz_read_file(out, 1 << 22, &x, &n, &err));
        must(qz_read_file(golden, 1 << 22, &y, &m, &err));
        if (n != m || memcmp(x, y, n) != 0 || scaled) fail_msg("%s is not the converter's file", rows[i].name);
        qz_free(x);
        qz_free(y);
    }
}

static void compare(const qz_gguf *got, const qz_gguf *want, const char *factored, float by) {
    assert_int_equal(got->n, want->n);
    assert_int_equal(got->n_kv, want->n_kv);
    for (size_t i = 0; i < want->n; i++) {
        const qz_gguf_tensor *g = &got->tensors[i], *w = &want->tensors[i];
        assert_string_equal(g->name, w->name);
        assert_int_equal(g->bytes, w->bytes);
        assert_memory_equal(g->dims, w->dims, sizeof g->dims);
        if (factored == NULL || strstr(w->name, factored) == NULL) {
            if (memcmp(g->data, w->data, w->bytes) != 0) fail_msg("tensor '%s' differs", w->name);
            continue;
        }
        const float *x = (const float *)(const void *)g->data, *y = (const float *)(const void *)w->data;
        for (size_t k = 0; k < w->elems; k++) assert_true(x[k] == y[k] * by);
    }
    for (size_t i = 0; i < want->n_kv; i++) {
        assert_string_equal(got->kv[i].key, want->kv[i].key);
        if (factored == NULL && strcmp(want->kv[i].key, "adapter.lora.alpha") == 0) continue;
        assert_memory_equal(got->kv[i].data, want->kv[i].data, want->kv[i].bytes);
    }
}

/* llama-plain: alpha 3 for down_proj instead of 12; llama-rslora: alpha / √8 instead of / 8. */
static void own_scales(void **state) {
    (void)state;
    static const sample rows[] = {{"llama-plain", "llama", "adapter.f32.gguf", QZ_TYPE_F32},
                                  {"llama-rslora", "llama", "adapter.f16.gguf", QZ_TYPE_F16}};
    for (size_t i = 0; i < 2; i++) {
        qz_gguf got, want;
        size_t scaled;
        double alpha = 0;
        convert(&rows[i], &scaled);
        must(qz_gguf_open(&got, out, &err));
        must(qz_gguf_open(&want, golden, &err));
        compare(&got, &want, i ? NULL : "ffn_down.weight.lora_b", 0.25f);
        must(qz_gguf_f64(&got, "adapter.lora.alpha", true, &alpha, &err));
        assert_true(fabs(alpha - (i ? 4 * sqrt(8) : 12)) < 1e-6);
        assert_int_equal(scaled, i ? 0 : 2);
        qz_gguf_release(&got);
        qz_gguf_release(&want);
    }
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}
static int drop_folder(void **state) {
    (void)state;
    return qz_remove_tree(folder, &err) == QZ_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes), cmocka_unit_test(own_scales)};
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
