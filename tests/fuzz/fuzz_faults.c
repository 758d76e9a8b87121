/* Fuzz target of what 'check' and 'convert --repair' find in a folder (deploy/faults.h): every fault has words, and
 * every tensor of the mended folder has the bytes that its header says. */
#include "base/run.h"
#include "deploy/faults.h"
#include "fuzz_dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static qz_run run;
    static bool begun;
    qz_error err = {0};
    qz_mending m;
    qz_arena arena = {0};
    if (!begun && qz_run_init(&run, 1, &err) != QZ_OK) abort();
    begun = true;
    run.log = NULL;
    fuzz_folder(data, size);
    if (qz_faults_find(&run, fuzz_dir, true, &m, &err) != QZ_OK) {
        if (!err.text[0]) abort();
        return 0;
    }
    for (size_t i = 0; i < m.n_faults; i++)
        if (!m.faults[i].subject || !m.faults[i].problem || !*m.faults[i].problem) abort();
    volatile uint64_t sum = 0; /* every byte is read */
    for (size_t i = 0; i < m.n; i++) {
        const uint8_t *bytes = NULL;
        uint64_t n = 0;
        if (qz_mended_bytes(&run, &m, i, &arena, &bytes, &n, &(qz_error){0}) != QZ_OK || bytes == NULL) continue;
        for (uint64_t k = 0; k < n; k++) sum = sum + bytes[k];
    }
    qz_arena_release(&arena);
    qz_mending_release(&m);
    return 0;
}
