/* Replays of single blocks: runs the float source block by block over the calibration tokens, keeps the inputs of one
 * block's linears, and computes what a sub-module gives with other weights (AWQ's own search, methods/awq_compat.h).
 * qz_replay *r; qz_replay_open(&r, run, model, &tokens, err); for layer: qz_replay_layer(r, layer, err);
 * qz_replay_module(r, w, stage, y, err) as often as wanted; qz_replay_free(r).
 * Resident: hidden states of all windows and the inputs of one block. Dense blocks only: an input for each stage. */
#ifndef QZ_CALIBRATE_REPLAY_H
#define QZ_CALIBRATE_REPLAY_H
#include "calibrate/tokens.h"
#include "model/model.h"
#include "base/run.h"

typedef struct qz_replay qz_replay;
qz_status qz_replay_open(qz_replay **out, qz_run *run, const qz_model *m, const qz_tokens *t, qz_error *err);
size_t qz_replay_tokens(const qz_replay *r);
/* Runs the float block forward, keeping its inputs; layers must be asked for in order. */
qz_status qz_replay_layer(qz_replay *r, size_t layer, qz_error *err);
/* Inputs of a stage in the last layer that was run, [tokens, cols]; the next layer fills the same memory. */
const float *qz_replay_input(const qz_replay *r, size_t stage);
/* Output y [tokens, hidden] of the sub-module that begins with this stage, its linears' weights replaced by w (NULL:
 * not in this block). */
qz_status qz_replay_module(qz_replay *r, const float *const w[QZ_LINEARS], size_t stage, float *y, qz_error *err);
void qz_replay_free(qz_replay *r); /* NULL is fine */
#endif
