/* Q4_K, 144 bytes for 256 values: head (k_common.h) @0; qs[128] @16: byte 32·p+l holds value l of sub-block 2p in its
 * low nibble and value l of sub-block 2p+1 in its high one. */
#include "codecs/k_common.h"

enum { BYTES = 144 };
_Static_assert(BYTES == QZ_K45_HEAD + QZ_K / 2, "layout of q4_k");

void qz_q4_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *o) {
    qz_k45_finish(x, weighted, 15, f, o);
    for (size_t p = 0; p < 4; ++p)
        for (size_t l = 0; l < 32; ++l)
            o[QZ_K45_HEAD + 32 * p + l] = (uint8_t)(f->codes[64 * p + l] | f->codes[64 * p + 32 + l] << 4);
}

void qz_q4_k_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    qz_k_found found;
    for (size_t k = 0; k < cols; k += QZ_K, o += BYTES) {
        qz_k45_search(x + k, importance ? importance + k : NULL, &qz_grid_q4_k, &found);
        qz_q4_k_finish(x + k, importance != NULL, &found, o);
    }
}

void qz_q4_k_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += QZ_K, p += BYTES)
        for (size_t b = 0; b < 8; ++b, y += 32) {
            int sc, m;
            qz_k_pair(p + 4, b, &sc, &m);
            float scale = qz_f16_at(p) * (float)sc, min = qz_f16_at(p + 2) * (float)m;
            const uint8_t *q = p + QZ_K45_HEAD + 32 * (b / 2);
            unsigned shift = b % 2 * 4;
            for (size_t l = 0; l < 32; ++l) y[l] = scale * (float)(q[l] >> shift & 15) - min;
        }
}
