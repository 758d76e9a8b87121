/* Block types with the calibration tokens flowing through the model quantized so far (--propagate quantized): a decoder
 * block at a time, its inputs in order (model/sites.h), each linear by methods/block_feedback under the Gram matrix of
 * what it reads there, towards the asymmetric target. What the artifact keeps, and what has no such matrix, goes on as
 * it is or by the search alone.
 * qz_block_flow *f; qz_block_flow_open(&f, &job, err); for each tensor of the file in its order:
 * qz_block_flow_get(f, &t, &q, err) … qz_block_flow_free(f). Codes live until the next block is asked for. */
#ifndef QZ_METHODS_BLOCK_FLOW_H
#define QZ_METHODS_BLOCK_FLOW_H
#include "methods/method.h"

typedef struct qz_block_flow qz_block_flow;
qz_status qz_block_flow_open(qz_block_flow **out, const qz_method_job *job, qz_error *err);
/* Codes of a linear of a block; *q NULL: it is none, or stays a float. */
qz_status qz_block_flow_get(qz_block_flow *f, const qz_method_tensor *t, const qz_quantized **q, qz_error *err);
void qz_block_flow_notes(const qz_block_flow *f, qz_method_notes *out); /* adds to it */
uint64_t qz_block_flow_bytes(const qz_method_sizes *s);                 /* besides the solver's */
void qz_block_flow_free(qz_block_flow *f); /* NULL is fine */
#endif
