/* Fuzz target of models in GGUF: opened as any artifact is, tokenizer included. */
#include "artifacts/artifacts_int.h"
#include "artifacts/open.h"
#include "fuzz_file.h"
#include "fuzz_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static qz_run run;
    static bool ready;
    char path[64];
    qz_error err = {0};
    if (!ready && qz_run_init(&run, 1, &err) != QZ_OK) abort();
    ready = true;
    run.log = NULL;
    int fd = fuzz_file(data, size, path);
    qz_model *m = NULL;
    qz_tokenizer *t = NULL;
    if (qz_gguf_read_model(&run, path, &m, &err) == QZ_OK) fuzz_walk(m);
    else if (!err.text[0]) abort(); /* every refusal has words */
    qz_model_free(m);
    err = (qz_error){0};
    if (qz_artifact_tokenizer(path, &t, &err) != QZ_OK && !err.text[0]) abort();
    qz_tokenizer_free(t);
    close(fd);
    return 0;
}
