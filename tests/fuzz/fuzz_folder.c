/* Fuzz target of a reader of folders, built once for each: the input is config.json, NUL, model.safetensors.index.json
 * (may be empty: none), NUL, the weights: model.safetensors, or with an index model-00001-of-00001.safetensors. */
#include <stdio.h>
#include <string.h>
#include "artifacts/artifacts_int.h"
#include "artifacts/open.h"
#include "artifacts/schemes.h"
#include "fuzz_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];
static const char *const weights[] = {"model.safetensors", "model-00001-of-00001.safetensors"};

/* Written in place: a file of an input before keeps its inode, and is cut to length. */
static void put(const char *name, const uint8_t *data, size_t n) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n == 0) {
        (void)remove(path);
        return;
    }
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0) abort();
}

static void tidy(void) {
    put("config.json", NULL, 0);
    put("model.safetensors.index.json", NULL, 0);
    put(weights[0], NULL, 0);
    put(weights[1], NULL, 0);
    (void)remove(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static qz_run run;
    qz_error err = {0};
    if (!dir[0]) {
        (void)snprintf(dir, sizeof dir, "/dev/shm/qz-fuzz-XXXXXX");
        if (!mkdtemp(dir) || qz_run_init(&run, 1, &err) != QZ_OK) abort();
        run.log = NULL;
        (void)atexit(tidy);
    }
    const uint8_t *a = size ? memchr(data, 0, size) : NULL;
    size_t n = a ? (size_t)(a - data) : size, rest = size - n - (a != NULL);
    const uint8_t *b = a && rest ? memchr(a + 1, 0, rest) : NULL;
    size_t k = b ? (size_t)(b - a) - 1 : rest;
    put("config.json", data, n);
    put("model.safetensors.index.json", a ? a + 1 : NULL, a ? k : 0);
    put(weights[k > 0], b ? b + 1 : NULL, b ? rest - k - 1 : 0);
    put(weights[k == 0], NULL, 0);
    qz_model *m = NULL;
    qz_status st;
    qz_scheme scheme = 0;
    while (scheme < QZ_SCHEME_COUNT && strcmp(qz_scheme_get(scheme)->name, QZ_FUZZ_SCHEME) != 0) scheme++;
    if (scheme == QZ_SCHEME_COUNT) st = qz_artifact_open(&run, dir, &m, &err); /* checkpoint: whatever it is */
    else st = qz_scheme_ops_get(scheme)->read(&run, dir, &m, &err);
    if (st == QZ_OK) fuzz_walk(m);
    else if (!err.text[0]) abort(); /* every refusal has words */
    qz_model_free(m);
    return 0;
}
