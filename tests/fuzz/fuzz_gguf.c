/* Fuzz target of the GGUF reader and what stands on it: metadata access, configuration, vocabulary,
 * importance matrices. */
#include "artifacts/artifacts_int.h"
#include "formats/imatrix.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_keys(const qz_gguf *g) {
    qz_arena a = {0};
    volatile uint8_t sink = 0;
    for (size_t i = 0; i < g->n_kv; i++) {
        const char *key = g->kv[i].key;
        qz_error err = {0};
        uint64_t u = 0;
        double f = 0;
        bool b = false;
        qz_gguf_text s = {0}, *list = NULL;
        size_t n = 0;
        (void)qz_gguf_u64(g, key, true, &u, &err);
        (void)qz_gguf_f64(g, key, true, &f, &err);
        (void)qz_gguf_bool(g, key, true, &b, &err);
        if (qz_gguf_str(g, key, true, &s, &err) == QZ_OK && s.n) sink = (uint8_t)(sink ^ (uint8_t)s.ptr[s.n - 1]);
        (void)qz_gguf_u64_at(g, key, (size_t)(g->kv[i].count / 2), &u, &err);
        if (qz_gguf_strings(g, key, true, &a, &list, &n, &err) != QZ_OK) continue;
        for (size_t k = 0; k < n; k++)
            if (list[k].n) sink = (uint8_t)(sink ^ (uint8_t)list[k].ptr[list[k].n - 1]);
    }
    qz_arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    qz_gguf g;
    qz_imatrix im;
    qz_error err = {0};
    if (qz_imatrix_open_memory(&im, data, size, "fuzz", &err) == QZ_OK) qz_imatrix_release(&im);
    err = (qz_error){0};
    if (qz_gguf_open_memory(&g, data, size, "fuzz", &err) != QZ_OK) {
        if (!err.text[0]) abort(); /* every refusal has words */
        return 0;
    }
    volatile uint8_t sink = 0;
    for (size_t i = 0; i < g.n; i++) {
        const qz_gguf_tensor *t = &g.tensors[i];
        if (qz_gguf_find(&g, t->name) != t || t->bytes == 0) abort();
        sink = (uint8_t)(sink ^ t->data[0] ^ t->data[t->bytes - 1]);
    }
    walk_keys(&g);
    static qz_config config; /* large; no state is kept */
    qz_tokenizer *t = NULL;
    err = (qz_error){0};
    (void)qz_gguf_config_read(&g, &config, &err);
    err = (qz_error){0};
    if (qz_gguf_vocab_read(&g, true, &t, &err) == QZ_OK) qz_tokenizer_free(t);
    qz_gguf_release(&g);
    return 0;
}
