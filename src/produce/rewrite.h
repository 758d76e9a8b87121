/* A folder of safetensors written again: the same shards with the same tensors, a few of them changed; files that
 * change; every other file as it stands; a manifest with sizes and SHA-256. Tensor by tensor, nothing is held.
 *   qz_rewrite w = {.run = run, .from = folder, …}; qz_rewrite_folder(&w, dir, err);
 * `dir` is a temporary name: whoever calls has claimed the output, proves what is there and gives it its name
 * (qz_commit). Weights that no loader opens, folders and hidden files stay behind, which is said. */
#ifndef QZ_PRODUCE_REWRITE_H
#define QZ_PRODUCE_REWRITE_H
#include <jansson.h>
#include "base/arena.h"
#include "base/run.h"
#include "formats/safetensors.h"

typedef struct { const char *name; json_t *root; } qz_rewrite_json; /* root NULL: the file stays as it is */

typedef struct {
    qz_run *run;
    const char *from;             /* the folder */
    const qz_st_dir *dir;         /* its weights */
    const char *stage;            /* of the progress: "mending" */
    size_t n;                     /* tensors; those of a shard in the order of writing */
    /* Tensor i as it will be, and the shard it goes to; false: it is left out. */
    bool (*item)(const void *job, size_t i, const qz_st **file, qz_st_item *out);
    /* Its bytes, in any pieces through qz_st_writer_write. */
    qz_status (*put)(void *job, size_t i, qz_st_writer *out, qz_arena *scratch, qz_error *err);
    void *job;
    const qz_rewrite_json *json; size_t n_json; /* files that change */
    bool keep_manifest;           /* the source's own manifest goes on, where it has one */
    /* Adds to the manifest's provenance. */
    qz_status (*provenance)(void *job, json_t *provenance, qz_error *err);
    size_t files; uint64_t bytes; /* written */
} qz_rewrite;

qz_status qz_rewrite_folder(qz_rewrite *w, const char *dir, qz_error *err);
#endif
