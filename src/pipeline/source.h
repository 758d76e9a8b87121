/* What most verbs start from: a model (checkpoint or artifact), its tokenizer, names and hashes. */
#ifndef QZ_PIPELINE_SOURCE_H
#define QZ_PIPELINE_SOURCE_H
#include "artifacts/scheme.h"
#include "base/str.h"
#include "model/model.h"
#include "pipeline/request.h"
#include "text/dataset.h"

typedef struct {
    qz_model *model;
    qz_tokenizer *tokenizer;   /* NULL: inputs are ids */
    char name[128];            /* of the folder or file, without its suffix */
    char sha_hex[65];          /* of the weights, filled by qz_source_hash */
} qz_source;
qz_status qz_source_open(qz_run *run, const char *path, qz_source *s, qz_error *err);
void qz_source_release(qz_source *s);
/* SHA-256 over names, types, shapes and data of all tensors: the same for one checkpoint whatever its sharding. */
qz_status qz_source_hash(qz_run *run, qz_source *s, qz_error *err);
/* Positions of a text of n that lie beyond the context the model was trained for; none under dynamic rotary scaling, which is for them. */
size_t qz_source_beyond(const qz_source *s, size_t n);
/* One warning for the sum over texts; silent at 0. */
void qz_source_warn_beyond(qz_run *run, const qz_source *s, const char *file, size_t positions, size_t texts);
/* Rebuilds an artifact path: DIR/NAME-AWQ, DIR/NAME.Q4_K_M.gguf. Owned by the caller (qz_free). name: QZ_EUSAGE if it is no plain one. */
qz_status qz_default_output(const qz_source *s, const qz_scheme_spec *spec, const char *dir, const char *name, char **out, qz_error *err);
/* Does `given` name a folder to put a file into: it exists as one, or ends in '/'? */
bool qz_output_is_place(const char *given);
/* The path to write: `given` (may be NULL), or the default name in the working folder or inside `given` where the scheme writes one file. */
qz_status qz_output_name(const qz_source *s, const qz_scheme_spec *spec, const char *given, const char *name, char **out, qz_error *err);
/* Parses a list with commas; specs live in the arena. */
qz_status qz_scheme_list(const char *text, qz_arena *arena, qz_scheme_spec **out, size_t *n, qz_error *err);
#endif
