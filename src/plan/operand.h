/* The one opener of what a person names as a model: a built-in shape, a config.json, a folder, a GGUF file.
 *   qz_operand o; qz_operand_open(run, "llama-3-8b", QZ_OPEN_WEIGHTS, &o, err); … o.shape …; qz_operand_release(&o).
 * Verbs that need weights and a tokenizer and nothing else open with qz_source_open (artifacts/source.h),
 * which this calls. */
#ifndef QZ_PLAN_OPERAND_H
#define QZ_PLAN_OPERAND_H
#include "artifacts/source.h"
#include "plan/shapes.h"

typedef enum { QZ_OPERAND_BUILTIN, QZ_OPERAND_CONFIG, QZ_OPERAND_FOLDER, QZ_OPERAND_FILE } qz_operand_kind;
typedef enum {
    QZ_OPEN_SHAPE,   /* the shape; of a file, which says it in its metadata, the model too */
    QZ_OPEN_WEIGHTS, /* besides weights and tokenizer, where there are some that this
                      * program opens; else a line says why not */
    /* as SHAPE; a file whose tensors do not fit its metadata has a shape too, and `fault` says what is wrong with it */
    QZ_OPEN_LENIENT
} qz_opening;
typedef struct {
    qz_operand_kind kind;
    qz_shape *shape;   /* NULL: a file of none of our architectures (LENIENT) */
    qz_source source;  /* model and tokenizer as far as they were opened */
    qz_error fault;
} qz_operand;

/* What it is, by what exists there; QZ_EUSAGE for a path at which there is nothing. */
qz_status qz_operand_find(const char *text, qz_operand_kind *kind, qz_error *err);
/* *o is zeroed first and may be released whatever is returned. */
qz_status qz_operand_open(qz_run *run, const char *text, qz_opening how, qz_operand *o, qz_error *err);
/* Bytes of the .safetensors files of a folder; 0: there are none. */
qz_status qz_operand_weight_files(const char *dir, uint64_t *bytes, qz_error *err);
void qz_operand_release(qz_operand *o);
#endif
