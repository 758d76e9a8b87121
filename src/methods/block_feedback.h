/* GGUF block formats under the Gram matrix of their input: blocks are encoded one after the other from targets that
 * carry the rounding errors of those before, codes inside a block with error feedback under the block's own scales;
 * then codes go downhill one step at a time under the true quadratic loss of the row, and d and dmin are refitted in
 * closed form. Types of a table take its nearest values; those of a code book whole points, chosen under the quadratic
 * form of their columns (book_points.h). Never above the reference's bytes on any row under that loss. Rows are
 * independent: threads split rows.
 * Source: GPTQ in its LDLQ form (arXiv 2210.17323, 2307.13304) on the block types of formats/ggml-quants.md. */
#ifndef QZ_METHODS_BLOCK_FEEDBACK_H
#define QZ_METHODS_BLOCK_FEEDBACK_H
#include "base/arena.h"
#include "codecs/quantized.h"
#include "kernels/matmul.h"
#include "methods/block_search.h"
#include "methods/hessian.h"

/* Columns that one step of the type's order keeps together: pass it to qz_hessian_init as group_size. 0: the type
 * has no such form. */
size_t qz_block_feedback_group(qz_type type);
/* Columns that a point of the type's code book codes together: qz_hessian_how's point. */
size_t qz_block_feedback_point(qz_type type);
/* out->blocks in arena; h of that group size and b's columns; importance of the reference encoder (E[x²]).
 * out->error: Σ rows of (w−ŵ)H(w−ŵ)ᵀ; out->energy: Σ rows of wHwᵀ. */
qz_status qz_block_feedback(const qz_block_job *b, qz_mm *mm, const qz_hessian *h, qz_arena *arena, qz_quantized *out,
                            qz_error *err);
#endif
