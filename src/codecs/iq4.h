/* What IQ4_NL and IQ4_XS share: sixteen values of a code, the search of a scale of 32 values. Private to codecs/. */
#ifndef QZ_CODECS_IQ4_H
#define QZ_CODECS_IQ4_H
#include "codecs/codecs_int.h"
#include "codecs/encode_steps.h"
#include "codecs/search.h"

/* The code whose value is nearest to x; ties go up. */
uint8_t qz_iq4_nearest(float x);
/* x [32] ≈ result·value; the result may be negative, 0 for a block of zeros. */
float qz_iq4_search(const float *x, const float *w);
/* Codes of 32 values under a scale into 16 bytes: byte j holds value j in its low nibble, value j+16 in its high. */
void qz_iq4_put(const float *x, float scale, uint8_t *out);
void qz_iq4_get(const uint8_t *in, float scale, float *y);
#endif
