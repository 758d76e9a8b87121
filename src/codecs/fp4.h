/* The code and the scales of MXFP4 and NVFP4, as GGUF's blocks hold them: codes stand for twice the E2M1 value, so
 * scales are halved. Private to codecs/. Source: formats/ggml-quants.md section 2. */
#ifndef QZ_CODECS_FP4_H
#define QZ_CODECS_FP4_H
#include <stdint.h>

extern const int8_t qz_fp4_values[16];
/* The code of least |value·d − x|; the first of equals, so ties go to the smaller magnitude. */
uint8_t qz_fp4_nearest(float x, float d);
/* 2^(e − 128). */
float qz_e8m0_half(uint8_t e);
/* Half of an unsigned E4M3; 0 for its NaN. */
float qz_ue4m3_half(uint8_t b);
uint8_t qz_ue4m3_encode(float x);
/* The e of d = 2^(e − 128). */
uint8_t qz_e8m0_code(float d);
#endif
