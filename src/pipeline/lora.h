/* The adapters of --lora beside the models of run and eval.
 *   qz_loras l; qz_loras_open(run, r, &l, err); for each model: qz_loras_beside(run, &l, &source, base, &lora, err),
 *   qz_lora_free(lora); qz_loras_release(&l). No --lora: n 0, *lora NULL. */
#ifndef QZ_PIPELINE_LORA_H
#define QZ_PIPELINE_LORA_H
#include "artifacts/adapter_bind.h"
#include "produce/request.h"

typedef struct { qz_adapter *a; size_t n; } qz_loras;
qz_status qz_loras_open(qz_run *run, const qz_request *r, qz_loras *out, qz_error *err);
/* base: the float checkpoint of `model`, or NULL. */
qz_status qz_loras_beside(qz_run *run, const qz_loras *l, const qz_source *model, const qz_source *base, qz_lora **out,
                          qz_error *err);
void qz_loras_release(qz_loras *l);
#endif
