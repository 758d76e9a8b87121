/* Input of a fuzz target as a folder: config.json, NUL, model.safetensors.index.json (may be empty: none), NUL, the
 * weights: model.safetensors, or with an index model-00001-of-00001.safetensors. */
#ifndef QZ_FUZZ_DIR_H
#define QZ_FUZZ_DIR_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char fuzz_dir[64];
static const char *const fuzz_weights[] = {"model.safetensors", "model-00001-of-00001.safetensors"};

/* Written in place: a file of an input before keeps its inode, and is cut to length. */
static inline void fuzz_put(const char *name, const uint8_t *data, size_t n) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", fuzz_dir, name);
    if (n == 0) {
        (void)remove(path);
        return;
    }
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0) abort();
}

static inline void fuzz_tidy(void) {
    fuzz_put("config.json", NULL, 0);
    fuzz_put("model.safetensors.index.json", NULL, 0);
    fuzz_put(fuzz_weights[0], NULL, 0);
    fuzz_put(fuzz_weights[1], NULL, 0);
    (void)remove(fuzz_dir);
}

static inline void fuzz_folder(const uint8_t *data, size_t size) {
    if (!fuzz_dir[0]) {
        (void)snprintf(fuzz_dir, sizeof fuzz_dir, "/dev/shm/qz-fuzz-XXXXXX");
        if (!mkdtemp(fuzz_dir)) abort();
        (void)atexit(fuzz_tidy);
    }
    const uint8_t *a = size ? memchr(data, 0, size) : NULL;
    size_t n = a ? (size_t)(a - data) : size, rest = size - n - (a != NULL);
    const uint8_t *b = a && rest ? memchr(a + 1, 0, rest) : NULL;
    size_t k = b ? (size_t)(b - a) - 1 : rest;
    fuzz_put("config.json", data, n);
    fuzz_put("model.safetensors.index.json", a ? a + 1 : NULL, a ? k : 0);
    fuzz_put(fuzz_weights[k > 0], b ? b + 1 : NULL, b ? rest - k - 1 : 0);
    fuzz_put(fuzz_weights[k == 0], NULL, 0);
}
#endif
