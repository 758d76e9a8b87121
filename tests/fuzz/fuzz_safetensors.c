/* Fuzz target of the safetensors reader: whatever the bytes, it answers with an error or with tensors that lie
 * inside the file. */
#include "formats/formats.h"
#include "formats/safetensors.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    qz_st st;
    qz_error err = {0};
    (void)qz_format_detect(data, size < 16 ? size : 16, size);
    if (qz_st_open_memory(&st, data, size, "fuzz", &err) != QZ_OK) {
        if (!err.text[0]) abort(); /* every refusal has words */
        return 0;
    }
    uint64_t sum = st.header_bytes;
    volatile uint8_t sink = 0;
    for (size_t i = 0; i < st.n; i++) {
        const qz_st_tensor *t = &st.tensors[i];
        if (qz_st_find(&st, t->name) != t) abort();
        if (t->bytes) sink = (uint8_t)(sink ^ t->data[0] ^ t->data[t->bytes - 1]);
        sum += t->bytes;
    }
    if (sum != size) abort(); /* the tensors tile the file */
    for (size_t i = 0; i < st.n_meta; i++)
        if (!qz_st_metadata(&st, st.meta[i].key)) abort();
    qz_st_release(&st);
    return 0;
}
