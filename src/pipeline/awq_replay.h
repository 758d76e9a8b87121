/* AWQ's compat mode needs the block replayed: this runs the float source block by block over the calibration windows, keeps the
 * inputs of one block's linears, and answers the method's replays through the engine. Resident: hidden states of all windows
 * and the inputs of one block. */
#ifndef QZ_PIPELINE_AWQ_REPLAY_H
#define QZ_PIPELINE_AWQ_REPLAY_H
#include "engine/engine.h"
#include "methods/awq_compat.h"
#include "text/dataset.h"

typedef struct {
    qz_engine *e;
    const qz_windows *w;
    qz_input_widths widths;
    size_t layer;                    /* next layer to run forward */
    float *hidden;                   /* [tokens, hidden] input of that layer */
    float *x[QZ_STAGES];             /* inputs of the last layer that was run */
    size_t fill[QZ_STAGES];          /* floats of x filled so far */
    qz_awq_replay replay;
} qz_awq_player;
qz_status qz_awq_player_open(qz_awq_player *p, qz_run *run, const qz_model *m, const qz_windows *w, qz_error *err);
/* Runs the float block forward, keeping its inputs; layers must be asked for in order. */
qz_status qz_awq_player_layer(qz_awq_player *p, size_t layer, qz_error *err);
void qz_awq_player_release(qz_awq_player *p);
#endif
