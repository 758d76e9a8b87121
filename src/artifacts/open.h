/* Reading: opens whatever holds a model, finds its tokenizer, checks it against its manifest.
 * qz_model *m; qz_artifact_open(run, path, &m, err); qz_artifact_tokenizer(path, &t, err). */
#ifndef QZ_ARTIFACTS_OPEN_H
#define QZ_ARTIFACTS_OPEN_H
#include "base/table.h"
#include "formats/gguf.h"
#include "model/model.h"
#include "text/tokenizer.h"

/* A GGUF file, an artifact folder (config.json with quantization_config) or a plain checkpoint folder,
 * found by content. */
qz_status qz_artifact_open(qz_run *run, const char *path, qz_model **out, qz_error *err);
/* A quantized folder of a family that does not run here: its settings, names, shapes and codes are read all the same
 * (m->loose is set). *out = NULL with QZ_OK: it is none, or holds codes that only the family tells how to read. Errors:
 * of the settings and of the tensors. */
qz_status qz_artifact_open_codes(qz_run *run, const char *path, qz_model **out, qz_error *err);
/* The tokenizer that belongs to any of these. *out = NULL with QZ_OK if there is none (models whose inputs are ids). */
qz_status qz_artifact_tokenizer(const char *path, qz_tokenizer **out, qz_error *err);
/* Of a GGUF file: as other runtimes read it, without our own key; NULL for all else. *pipeline: the file has it. */
qz_status qz_artifact_tokenizer_by_keys(const char *path, qz_tokenizer **out, bool *pipeline, qz_error *err);
/* QZ_EFORMAT names the first token whose id has no row of the embedding. */
qz_status qz_artifact_fits(const qz_model *m, const qz_tokenizer *t, const char *path, qz_error *err);
/* The model that a GGUF file's metadata announce, without data (qz_model_from_config): for files whose tensors
 * do not fit them. */
qz_status qz_artifact_announced(const char *path, qz_model **out, qz_error *err);

/* The configuration and the tokenizer that the keys of an open GGUF file say can be read. */
qz_status qz_gguf_sound(const qz_gguf *g, qz_config_keys *keys, qz_error *err);
/* The open file behind a model, or NULL if it is none of GGUF. */
const qz_gguf *qz_gguf_of(const qz_model *m);

/* ---- manifest and verification ---- */
/* Of `path` (a GGUF file, or the part of a split one) after an edit of its keys: size, hash (NULL: not known) and the
 * keys edited so far. *staged (owned by the caller): the manifest, whole under its temporary name; NULL: there is
 * none, or it says so already. */
qz_status qz_manifest_edited(const char *path, uint64_t bytes, const char *sha_hex, const char *const *keys, size_t n,
                             char **staged, qz_error *err);
/* The manifest of `from` for the same tensors in n other files, the first of them first: *staged as above; NULL: `from`
 * has none. */
typedef struct { const char *path; uint64_t bytes; const char *sha256; } qz_manifest_file;
qz_status qz_manifest_recut(const char *from, const qz_manifest_file *files, size_t n, char **staged, qz_error *err);
/* "NAME.gguf.manifest.json" beside a file, "quantz-manifest.json" in a folder. Owned by the caller (qz_free). */
char *qz_manifest_path(const char *path);
/* Sets a key of a manifest that stands at `manifest`; the value is borrowed. */
qz_status qz_manifest_add(const char *manifest, const char *key, json_t *value, qz_error *err);
/* Only sizes and hashes of the manifest's files. */
qz_status qz_artifact_verify_hashes(const char *path, qz_arena *arena, qz_table *table, qz_error *err);
/* The first scale of an FP8 cache that is no number above 0, or of a shape that servers do not read: one of a layer, or
 * one of each of its heads. name: borrowed of the model, NULL: none. Servers read these scales, nothing here does. */
typedef struct { const char *name; char problem[160]; } qz_cache_fault;
qz_status qz_artifact_cache_scales(const char *path, const qz_model *m, qz_cache_fault *out, qz_error *err);
/* QZ_OK: it opens, its values are finite, scales of a cache are in order; or it is of a family that does not run here
 * and what can be read of it is. Else the fault: tensor and element, or why it does not open. */
qz_status qz_artifact_sound(qz_run *run, const char *path, qz_error *err);
/* Checks manifest sizes and hashes, structure, shapes, scales and decoding; one row per check (check, result, detail).
 * QZ_ECHECK if any fails; QZ_EUNSUPPORTED if the settings of a quantization are refused, as by whatever opens it; other
 * codes when the check itself could not run. A missing manifest is a row, not a failure. */
qz_status qz_artifact_verify(qz_run *run, const char *path, qz_arena *arena, qz_table *table, qz_error *err);
#endif
