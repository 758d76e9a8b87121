/* Small floats under other scales with the same numbers: codes stay, every scale must be one that the target's file can
 * say. Between the two conventions of NVFP4 the tensor's scale becomes its float32 reciprocal, the E4M3 bytes stay; a
 * power of two becomes an E4M3 value under a tensor's scale that is a power of two itself.
 *   qz_floats_place(qz_scaled_float_of(view->coded), &to, top, &arena, &q, &fit, err);
 * Errors: QZ_EMEMORY alone; what does not fit is said in fit->why. Source: formats/hf-fp4.md section 3, hf-fp8.md. */
#ifndef QZ_METHODS_CONVERT_FLOAT_H
#define QZ_METHODS_CONVERT_FLOAT_H
#include "codecs/scaled_float.h"
#include "methods/convert_grid.h"

/* top: the largest value that a scale of the matrices that share a tensor's can say. fit->bound above 0: relative to a
 * value, why says what rounds (and of equal values that a tensor's scale changed its convention). */
qz_status qz_floats_place(const qz_scaled_float *from, const qz_grid_target *to, float top, qz_arena *arena,
                          qz_quantized *q, qz_grid_fit *fit, qz_error *err);
#endif
