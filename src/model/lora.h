/* Adapters beside the linears of a model: y += scale · B (A x), in the order of rows and columns that the model has.
 * artifacts/adapter_bind.c makes it, the engine adds it (engine/low.c). Read-only; owns its arena. */
#ifndef QZ_MODEL_LORA_H
#define QZ_MODEL_LORA_H
#include "base/arena.h"
#include "model/sites.h"

typedef struct qz_low {
    const float *a, *b;          /* [rank, cols], [rows, rank]; of an embedding a is [tokens, rank] */
    size_t rank, rows, cols;
    float scale;
    const struct qz_low *next;   /* of another adapter on the same linear, or NULL */
} qz_low;
typedef struct {
    const qz_low *linear[QZ_LINEARS];
    const qz_low **expert[QZ_LINEARS]; /* [experts] or NULL */
} qz_lora_layer;
typedef struct qz_lora {
    qz_lora_layer *layers;
    const qz_low *head, *embed;
    size_t linears;              /* that something is added to */
    qz_arena arena;
} qz_lora;
#endif
