/* One calibration pass: runs the float source block by block over windows of token ids and writes the statistics file
 * (calibrate/stats.h). Resident: the hidden states of all windows, one block's Gram matrices, one chunk's activations.
 * The file is written as PATH.partial with a journal line per finished layer; with resume the finished layers are only
 * run forward again and the bytes come out the same. */
#ifndef QZ_CALIBRATE_CALIBRATE_H
#define QZ_CALIBRATE_CALIBRATE_H
#include "calibrate/stats.h"
#include "engine/engine.h"

typedef struct {
    const uint32_t *ids;   /* [windows, seq_len] */
    size_t windows, seq_len;
    qz_stats_info about;   /* samples, hashes, names; widths and counts are filled in */
    uint64_t gram_bytes;   /* of a layer's Gram matrices at a time; the tokens then go through it several times, with
                            * the same result; 0: all at once */
    bool resume, replace;  /* go on with what a killed run left; an existing file of
                            * other data or settings may be replaced */
    bool own;              /* of a job that makes and removes them itself: what a killed run of
                            * other data or settings left is replaced too */
} qz_calibration;
/* e: exact arithmetic on the source. *finished: with resume, the file stands there already, of the same data
 * and settings. */
qz_status qz_calibrate(qz_run *run, qz_engine *e, const qz_calibration *c, const char *path, bool *finished,
                       qz_error *err);
/* Bytes that are resident besides the weights, for the memory plan. */
uint64_t qz_calibrate_bytes(const qz_config *c, size_t windows, size_t seq_len, uint64_t gram_bytes);
/* Passes that a layer takes at most. */
size_t qz_calibrate_passes(const qz_config *c, uint64_t gram_bytes);
#endif
