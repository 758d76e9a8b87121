/* Where the coding of a model stands inside a layer: its site and rows, of experts which one, with the ETA over all
 * layers. */
#ifndef QZ_METHODS_SITE_PROGRESS_H
#define QZ_METHODS_SITE_PROGRESS_H
#include "base/run.h"
#include "methods/awq.h"

typedef struct {
    const char *scheme;
    size_t layer, layers;              /* layer from 0 */
    const qz_awq_block *self, *expert; /* linears of the block itself, and of any one expert (NULL: it has none) */
    size_t experts;                    /* of the layer, 0: none */
    long at;                           /* the expert at work, -1: the block itself */
} qz_site_at;
/* Input `input` is begun: rows of the inputs before it are done, and of an expert those of the experts before it. */
void qz_site_progress(qz_run *run, const qz_site_at *at, size_t input);
/* Scales are searched before anything is coded: no rows are done. */
void qz_site_progress_scales(qz_run *run, const qz_site_at *at);
#endif
