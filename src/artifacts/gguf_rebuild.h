/* Files of a folder that is made of a GGUF file without the checkpoint it came from: from the file's keys, where they
 * suffice. QZ_EUNSUPPORTED names what they do not say. */
#ifndef QZ_ARTIFACTS_GGUF_REBUILD_H
#define QZ_ARTIFACTS_GGUF_REBUILD_H
#include "artifacts/artifact.h"
#include <jansson.h>

enum { QZ_REBUILT_FILES = 2 }; /* beside config.json */
/* A new reference. */
qz_status qz_gguf_rebuild_config(const qz_model *m, json_t **out, qz_error *err);
/* Appends tokenizer.json and tokenizer_config.json to the plan (room for them is there), and a note that says so. */
qz_status qz_gguf_rebuild_files(qz_artifact_plan *p, qz_arena *arena, qz_error *err);
#endif
