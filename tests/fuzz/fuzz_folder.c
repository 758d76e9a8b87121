/* Fuzz target of a reader of folders (fuzz_dir.h), built once for each. */
#include "artifacts/artifacts_int.h"
#include "artifacts/open.h"
#include "artifacts/schemes.h"
#include "fuzz_dir.h"
#include "fuzz_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static qz_run run;
    static bool begun;
    qz_error err = {0};
    if (!begun && qz_run_init(&run, 1, &err) != QZ_OK) abort();
    begun = true;
    run.log = NULL;
    fuzz_folder(data, size);
    qz_model *m = NULL;
    qz_status st;
    qz_scheme scheme = 0;
    while (scheme < QZ_SCHEME_COUNT && strcmp(qz_scheme_get(scheme)->name, QZ_FUZZ_SCHEME) != 0) scheme++;
    if (scheme == QZ_SCHEME_COUNT) st = qz_artifact_open(&run, fuzz_dir, &m, &err); /* checkpoint: whatever it is */
    else st = qz_scheme_ops_get(scheme)->read(&run, fuzz_dir, &m, &err);
    if (st == QZ_OK) fuzz_walk(m);
    else if (!err.text[0]) abort(); /* every refusal has words */
    qz_model_free(m);
    return 0;
}
