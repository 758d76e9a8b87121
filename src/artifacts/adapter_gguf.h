/* A LoRA adapter as the GGUF file that llama.cpp takes beside a model: names, row orders and stacks of experts as the
 * base has them in GGUF.
 *   qz_adapter_gguf g = {.adapter = &a, .base = &config, .type = QZ_TYPE_F32, .name = "my-adapter"};
 *   qz_adapter_gguf_plan(run, &g, err); qz_adapter_gguf_write(&g, path, err); qz_adapter_gguf_release(&g).
 * llama.cpp scales every product by alpha over its rank; where the adapter says another scale (rslora, alpha_pattern),
 * the stored alpha is what gives it, or, if scales differ, the values of lora_b (counted in `scaled`).
 * Errors: QZ_EUNSUPPORTED naming the tensor that such a file cannot hold (whole weights, biases, some experts only).
 * Source: convert_lora_to_gguf.py of llama.cpp (llama-cpp-python 0.3.36), whose bytes these are. */
#ifndef QZ_ARTIFACTS_ADAPTER_GGUF_H
#define QZ_ARTIFACTS_ADAPTER_GGUF_H
#include "artifacts/adapter.h"
#include "artifacts/artifact.h"
#include "formats/gguf.h"

/* One pair of tensors of the file: the base's tensor, and of each expert (one: none) the part. */
typedef struct {
    const qz_artifact_item *item;
    const qz_adapter_part **parts;
    size_t n, have;
    qz_type a_type, b_type;
} qz_adapter_pair;

typedef struct {
    const qz_adapter *adapter;
    const qz_config *base;
    qz_type type;                     /* F32, F16, BF16, or Q8_0, with F16 where rows are no whole blocks */
    const char *name;                 /* for general.*: as the converter reads it from the folder's */
    qz_model *m;
    qz_artifact_plan plan;            /* of the base's own GGUF file */
    qz_adapter_pair *pairs; size_t n;
    double alpha;                     /* as stored */
    size_t scaled;                    /* parts whose lora_b is multiplied */
    qz_gguf_item *items;
    qz_gguf_meta meta;
    uint64_t bytes;                   /* of the file */
    qz_arena arena;
} qz_adapter_gguf;

qz_status qz_adapter_gguf_plan(qz_run *run, qz_adapter_gguf *g, qz_error *err);
qz_status qz_adapter_gguf_write(qz_adapter_gguf *g, const char *path, qz_error *err);
void qz_adapter_gguf_release(qz_adapter_gguf *g);
#endif
