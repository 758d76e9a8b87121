/* What most verbs start from: a model (checkpoint or artifact), its tokenizer, names and hashes. */
#ifndef QZ_ARTIFACTS_SOURCE_H
#define QZ_ARTIFACTS_SOURCE_H
#include "base/str.h"
#include "model/model.h"
#include "text/dataset.h"

typedef struct {
    qz_model *model;
    qz_tokenizer *tokenizer;   /* NULL: inputs are ids */
    char name[128];            /* of the folder or file, without its suffix */
    char sha_hex[65];          /* of the weights, filled by qz_source_hash */
} qz_source;
qz_status qz_source_open(qz_run *run, const char *path, qz_source *s, qz_error *err);
/* A checkpoint of any family, by names and shapes alone (loose.h): no tokenizer, nothing can be run. */
qz_status qz_source_open_loose(qz_run *run, const char *path, qz_source *s, qz_error *err);
void qz_source_release(qz_source *s);
/* SHA-256 over names, types, shapes and data of all tensors: the same for one checkpoint whatever its sharding. */
qz_status qz_source_hash(qz_run *run, qz_source *s, qz_error *err);
/* Positions of a text of n that lie beyond the context the model was trained for; none under dynamic rotary scaling,
 * which is for them. */
size_t qz_source_beyond(const qz_source *s, size_t n);
/* One warning for the sum over texts; silent at 0. */
void qz_source_warn_beyond(qz_run *run, const qz_source *s, const char *file, size_t positions, size_t texts);
#endif
