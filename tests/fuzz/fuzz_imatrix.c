/* Fuzz target of importance matrices, both forms: accepted values are finite and are found by name. */
#include <math.h>
#include <stdlib.h>
#include "formats/imatrix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static float w[1 << 14];
    qz_imatrix im;
    qz_error err = {0};
    if (qz_imatrix_open_memory(&im, data, size, "fuzz", &err) != QZ_OK) {
        if (!err.text[0]) abort(); /* every refusal has words */
        return 0;
    }
    for (size_t i = 0; i < im.n; i++) {
        const qz_imatrix_entry *e = &im.entries[i];
        size_t n = e->cols * e->mats;
        if (!qz_imatrix_find(&im, e->name)) abort();
        err = (qz_error){0};
        if (n <= sizeof w / sizeof w[0] && qz_imatrix_weights(&im, e->name, n, w, &err) == QZ_OK) {
            for (size_t k = 0; k < n; k++)
                if (isnan(w[k]) || w[k] < 0) abort();
        }
        (void)qz_imatrix_weights(&im, e->name, n + 1, w, &err);
    }
    qz_imatrix_release(&im);
    return 0;
}
