/* Largest magnitudes that a KV cache holds over the calibration tokens: keys as they are stored (behind norm and rotary
 * embedding) and values, of every layer and KV head of the float model. Scales of FP8 caches come of them.
 *   qz_kv_ranges r; qz_kv_ranges_measure(run, model, &tokens, &arena, &r, err); r.k[layer * r.heads + head]
 * Source: formats/kv-cache.md section 1 (the running maximum over all tokens). */
#ifndef QZ_CALIBRATE_KV_RANGES_H
#define QZ_CALIBRATE_KV_RANGES_H
#include "base/arena.h"
#include "base/run.h"
#include "calibrate/tokens.h"
#include "model/model.h"

typedef struct { size_t layers, heads; const float *k, *v; } qz_kv_ranges; /* [layers, heads], in the arena */
qz_status qz_kv_ranges_measure(qz_run *run, const qz_model *m, const qz_tokens *t, qz_arena *arena, qz_kv_ranges *out,
                               qz_error *err);
#endif
