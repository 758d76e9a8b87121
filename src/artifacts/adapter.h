/* A LoRA adapter as PEFT saves it (adapter_config.json beside adapter_model.safetensors), or as the GGUF file that
 * llama.cpp takes (whose orders are those of a model's GGUF file: its parts are there once the base is known).
 *   qz_adapter a; qz_adapter_open("dir", &a, err); qz_adapter_settle(run, &a, &config of the base, err);
 *   a.parts[0..n) say what each does to a tensor of the base;
 *   qz_adapter_spelling finds that tensor; qz_adapter_release(&a).
 * What a part does to the base's tensor W [rows, cols]: W becomes `whole` where there is one; then W += scale · B·A (of
 * an embedding, and where the base stores [in, out]: its transpose), or of a bias W += scale · add.
 * Refused by name: other kinds of adapters, DoRA, any option that changes what the tensors mean (adapter_keys.def),
 * start values that were taken out of the base's weights, pickles, values that are not finite.
 * Ownership: everything lives in the adapter. Errors: QZ_EFORMAT, QZ_EUNSUPPORTED, QZ_ENONFINITE naming the tensor.
 * Source: peft 0.21.2; convert_lora_to_gguf.py and llama-adapter.cpp of llama-cpp-python 0.3.36. */
#ifndef QZ_ARTIFACTS_ADAPTER_H
#define QZ_ARTIFACTS_ADAPTER_H
#include "base/arena.h"
#include "base/run.h"
#include "formats/safetensors.h"
#include "model/config.h"

typedef struct {
    const char *target;              /* the base's, as the adapter names it: "model.layers.0.mlp.up_proj.weight" */
    const qz_st_tensor *a, *b;       /* [rank, in] and [out, rank]; NULL: no product */
    const qz_st_tensor *whole, *add; /* as large as the base's tensor, or NULL */
    double scale;
    bool embedding;                  /* A [rank, vocabulary], B [hidden, rank] */
} qz_adapter_part;

typedef struct {
    const char *path;
    const char *base;                /* base_model_name_or_path, or NULL */
    double alpha;                    /* lora_alpha */
    uint64_t rank;
    bool rslora, ties;               /* use_rslora, ensure_weight_tying */
    double weight;                   /* of what the user wants: scales include it */
    struct qz_gguf *gguf;            /* of a GGUF file, else NULL */
    qz_st file;
    qz_adapter_part *parts; size_t n;
    const char **absent; size_t n_absent; /* of target_modules and modules_to_save: no tensor is of them */
    char sha[65];                    /* of the weights' file */
    qz_arena arena;
} qz_adapter;

/* "DIR" or "DIR:SCALE", which multiplies the adapter's own scale; FILE.gguf in DIR's place. */
qz_status qz_adapter_open(const char *text, qz_adapter *a, qz_error *err);
/* The parts of a GGUF file, in the names and orders of the base's checkpoint, whatever container `base` was read from;
 * of a folder, or the second time: nothing. QZ_EFORMAT, QZ_EUNSUPPORTED: it is another model's. */
qz_status qz_adapter_settle(qz_run *run, qz_adapter *a, const qz_config *base, qz_error *err);
/* For adapter.c: header and checks of the file a->path; its end. */
qz_status qz_adapter_open_gguf(qz_adapter *a, qz_error *err);
void qz_adapter_close_gguf(qz_adapter *a);
void qz_adapter_release(qz_adapter *a);
/* Spelling i of a part's target among those of wrapped models, in buf; false behind the last. The first is its own. */
bool qz_adapter_spelling(const char *target, size_t i, char *buf, size_t size);
/* The part's product is the transpose of B·A for a base's tensor [rows, cols]; QZ_EFORMAT: it fits in neither way. */
qz_status qz_adapter_fits(const qz_adapter *a, const qz_adapter_part *p, uint64_t rows, uint64_t cols, bool *turned,
                          qz_error *err);
/* All values as float32: out [t->elems]. */
void qz_adapter_floats(const qz_st_tensor *t, float *out);
/* x [n, m] becomes out [m, n]. */
void qz_adapter_turn(const float *x, size_t n, size_t m, float *out);
#endif
