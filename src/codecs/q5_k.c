/* Q5_K, 176 bytes for 256 values: head (k_common.h) @0; qh[32] @16: bit b of byte l = fifth bit of value l of sub-block
 * b; qs[128] @48: byte 32·p+l holds value l of sub-block 2p in its low nibble and of sub-block 2p+1 in its high one. */
#include "codecs/k_common.h"

enum { BYTES = 176, QH = QZ_K45_HEAD, QS = QH + 32 };
_Static_assert(BYTES == QS + QZ_K / 2, "layout of q5_k");

void qz_q5_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *o) {
    qz_k45_finish(x, weighted, 31, f, o);
    memset(o + QH, 0, 32);
    for (size_t b = 0; b < 8; ++b)
        for (size_t l = 0; l < 32; ++l) o[QH + l] |= (uint8_t)((f->codes[32 * b + l] >> 4) << b);
    for (size_t p = 0; p < 4; ++p)
        for (size_t l = 0; l < 32; ++l)
            o[QS + 32 * p + l] = (uint8_t)((f->codes[64 * p + l] & 15) | (f->codes[64 * p + 32 + l] & 15) << 4);
}

void qz_q5_k_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    qz_k_found found;
    for (size_t k = 0; k < cols; k += QZ_K, o += BYTES) {
        qz_k45_search(x + k, importance ? importance + k : NULL, &qz_grid_q5_k, &found);
        qz_q5_k_finish(x + k, importance != NULL, &found, o);
    }
}

void qz_q5_k_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += QZ_K, p += BYTES)
        for (size_t b = 0; b < 8; ++b, y += 32) {
            int sc, m;
            qz_k_pair(p + 4, b, &sc, &m);
            float scale = qz_f16_at(p) * (float)sc, min = qz_f16_at(p + 2) * (float)m;
            const uint8_t *q = p + QS + 32 * (b / 2), *h = p + QH;
            unsigned shift = b % 2 * 4;
            for (size_t l = 0; l < 32; ++l) {
                int c = (q[l] >> shift & 15) | (h[l] >> b & 1) << 4;
                y[l] = scale * (float)c - min;
            }
        }
}
