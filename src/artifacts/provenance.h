/* What an artifact says of itself: its recipe (recipe.h), and what it hands on to what is made from it: findings about
 * its calibration data that --accept let pass (text/accepted.h), from its manifest, and of a GGUF file from
 * its metadata. */
#ifndef QZ_ARTIFACTS_PROVENANCE_H
#define QZ_ARTIFACTS_PROVENANCE_H
#include "base/arena.h"
#include "base/str.h"

#define QZ_RECIPE_KEY "recipe" /* of an artifact's provenance; in GGUF behind "quantz." */
/* NULL: nothing recorded, or no such file. The string lives in the arena. */
const char *qz_provenance_in(const char *path, const char *key, qz_arena *arena);
const char *qz_accepted_in(const char *path, qz_arena *arena);
/* A file that was made from another artifact names two: source_sha256, the weights it was made from, and
 * origin_sha256, those at the beginning of the chain (the checkpoint of an F16 file that Q4_K_M was made of). */
#define QZ_SOURCE_KEY "source_sha256"
#define QZ_ORIGIN_KEY "origin_sha256"
/* The beginning of the chain of the weights at `path`: their own origin, or their source; NULL: they do not say. */
const char *qz_origin_in(const char *path, qz_arena *arena);
/* "calibration data accepted with CAL-DUP (127 of 128 samples equal); …" without line end; nothing for
 * an empty list. */
void qz_accepted_line(const char *list, qz_str *out);
#endif
