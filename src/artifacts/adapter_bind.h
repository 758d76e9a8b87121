/* Adapters beside the linears of any model: a checkpoint, a GGUF file, integer groups …
 *   qz_bind_to to = {&source, base or NULL}; qz_adapter_bind(adapters, n, &to, &lora, err); engine options
 *   .lora = lora; qz_lora_free(lora).
 * Rows and columns are brought into the order that the model has (pairs of rotary values, value heads). Scales that a
 * method has moved between operations (AWQ) are taken out again where `base` is given: they are found by comparing the
 * two models (diff.h); without it the adapter reads the scaled inputs, as in an engine.
 * Errors: QZ_EFORMAT, QZ_EUNSUPPORTED naming the tensor that is of another model, or that has no place beside a linear
 * (whole weights, biases, routers: they want a merge). */
#ifndef QZ_ARTIFACTS_ADAPTER_BIND_H
#define QZ_ARTIFACTS_ADAPTER_BIND_H
#include "artifacts/adapter.h"
#include "artifacts/source.h"
#include "model/lora.h"

typedef struct {
    const qz_source *model, *base;
    size_t folds;           /* found and taken out */
} qz_bind_to;
qz_status qz_adapter_bind(const qz_adapter *a, size_t n, qz_bind_to *to, qz_lora **out, qz_error *err);
void qz_lora_free(qz_lora *l);
/* The site of a block that a part's target names; false: it is no block's (embedding, head, another model's). */
typedef struct { size_t layer, expert; qz_site site; } qz_adapter_place;
bool qz_adapter_place_of(const qz_config *c, const char *target, qz_adapter_place *out);
#endif
