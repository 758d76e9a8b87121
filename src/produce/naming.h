/* What is asked for by name: the path of an output, the list of artifacts of --to, the target engine. */
#ifndef QZ_PRODUCE_NAMING_H
#define QZ_PRODUCE_NAMING_H
#include "artifacts/scheme.h"
#include "artifacts/source.h"
#include "base/arena.h"
#include "deploy/preflight_scheme.h"
#include "produce/request.h"

/* --name stands in metadata and reports: UTF-8, one line, not empty (NULL: not given). */
qz_status qz_name_check(const char *name, qz_error *err);
/* Rebuilds an artifact path: DIR/NAME-AWQ, DIR/NAME.Q4_K_M.gguf. Owned by the caller (qz_free). name: QZ_EUSAGE if it
 * is no plain one. */
qz_status qz_default_output(const qz_source *s, const qz_scheme_spec *spec, const char *dir, const char *name,
                            char **out, qz_error *err);
/* Does `given` name a folder to put a file into: it exists as one, or ends in '/'? */
bool qz_output_is_place(const char *given);
/* The path to write: `given` (may be NULL), or the default name in the working folder or inside `given` where the
 * scheme writes one file. */
qz_status qz_output_name(const qz_source *s, const qz_scheme_spec *spec, const char *given, const char *name,
                         char **out, qz_error *err);
/* Parses a list with commas; specs live in the arena. */
qz_status qz_scheme_list(const char *text, qz_arena *arena, qz_scheme_spec **out, size_t *n, qz_error *err);
/* --engine, --tp, --cc, --kv and --loras. */
qz_target_options qz_target_asked(const qz_request *r);
#endif
