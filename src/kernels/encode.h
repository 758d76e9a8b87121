/* Fast encoders: the same bytes as the codecs' reference encoders (tests/kernels holds them to it), many blocks at a
 * time. qz_encode_rows(run, QZ_TYPE_Q4_K, &(qz_float_rows){x, rows, cols, importance}, out, err); or one row with
 * qz_encoder(run->cpu, t)(…). Source of the bytes: formats/ggml-quants.md. */
#ifndef QZ_KERNELS_ENCODE_H
#define QZ_KERNELS_ENCODE_H
#include "base/run.h"
#include "codecs/fields.h"
#include "codecs/type_id.h"

/* The fastest encoder of a row at min(level, detected). t < QZ_TYPE_COUNT. Thread safe; never NULL. */
qz_encode_fn qz_encoder(qz_cpu_level level, qz_type t);
/* The same with the reference's own bytes where the encoder deviates from them (types.def). */
qz_encode_fn qz_compat_encoder(qz_cpu_level level, qz_type t);
/* Rounds a sub-block and judges it (op_types.h: qz_round_sub_fn), the fastest at this level. */
typedef float (*qz_rounder_fn)(const qz_block_shape *s, const float *x, const float *w, float scale, float min,
                               int16_t *q);
/* Refines blocks of one symmetric scale (op_types.h: qz_refine_sym_fn). */
typedef uint32_t (*qz_sym_refiner_fn)(const qz_block_shape *s, const float *x, const float *w, size_t n,
                                      qz_block_fields *f);
/* The fastest steps of refinement at this level. */
typedef struct { qz_rounder_fn round; qz_sym_refiner_fn sym; } qz_refiner;
qz_refiner qz_refiner_at(qz_cpu_level level);
/* A row of blocks as floats, the fastest at this level; the same bits as the codecs' decoders. */
typedef void (*qz_decoder_fn)(const void *in, size_t cols, float *y);
qz_decoder_fn qz_decoder(qz_cpu_level level, qz_type t);
/* Rows x [rows, cols] to out [rows, row_bytes] on the pool of the run (NULL run: one thread, detected level).
 * importance [cols] or NULL. QZ_EFORMAT: cols is not a multiple of the block. */
typedef struct { const float *x; size_t rows, cols; const float *importance; } qz_float_rows;
qz_status qz_encode_rows(qz_run *run, qz_type t, const qz_float_rows *in, void *out, qz_error *err);
#endif
