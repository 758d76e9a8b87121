/* Steps shared by the reference encoders of the IQ types (formats/ggml-quants.md section 8): plain float32, sums in
 * index order, so that the bytes equal the reference library's. Private to codecs/. */
#ifndef QZ_CODECS_IQ_SEARCH_H
#define QZ_CODECS_IQ_SEARCH_H
#include "codecs/codecs_int.h"
#include "codecs/iq_form.h"
#include "codecs/search.h"

/* w [n] of a group: importance·sqrt(sigma2 + x²), without importance x². */
void qz_iq_weigh(const float *x, const float *importance, size_t n, float sigma2, float *w);
/* Code c of a scale that stands for 2c+1 steps; id: 1/step. */
static inline uint8_t qz_iq_scale_code(float id, float scale, int most) {
    return (uint8_t)qz_clamp_int(qz_nearest(0.5f * (id * scale - 1)), 0, most);
}
/* The encoder and decoder of a row of types.def. */
#define QZ_IQ_CODEC(name)                                                                           \
    void qz_##name##_encode(const float *x, const float *importance, size_t cols, void *out) {      \
        qz_iq_encode(&qz_##name##_form, false, x, importance, cols, out);                           \
    }                                                                                               \
    void qz_##name##_decode(const void *in, size_t cols, float *y) { qz_iq_decode(&qz_##name##_form, in, cols, y); }
#endif
