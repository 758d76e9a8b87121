/* Where the coding of a model stands inside a layer: its site and rows, with the ETA over all layers. */
#ifndef QZ_METHODS_SITE_PROGRESS_H
#define QZ_METHODS_SITE_PROGRESS_H
#include "base/run.h"
#include "methods/awq.h"

typedef struct { const char *scheme; size_t layer, layers; } qz_site_at; /* layer from 0 */
/* Input `input` of the block is begun; rows of the inputs before it are done. */
void qz_site_progress(qz_run *run, const qz_site_at *at, const qz_awq_block *b, size_t input);
#endif
