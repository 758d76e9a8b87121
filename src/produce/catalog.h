/* What cli may know of the layers below: version, schemes for --help, CPU levels, the recipe of an artifact. */
#ifndef QZ_PRODUCE_CATALOG_H
#define QZ_PRODUCE_CATALOG_H
#include <stdio.h>
#include "base/arena.h"
#include "base/run.h"

const char *qz_catalog_version(void);
void qz_catalog_print_schemes(FILE *f);
/* "ref", "avx2", "avx512"; NULL keeps the best. QZ_EUNSUPPORTED if this CPU lacks the level. */
qz_status qz_catalog_set_cpu(qz_run *run, const char *level, qz_error *err);
/* The codes of --accept (commas, blanks around them allowed): QZ_EUSAGE names one that does not exist and the nearest
 * known. NULL: none. */
qz_status qz_catalog_check_accept(const char *codes, qz_error *err);
/* A verb that needs weights was given the name of a built-in shape, and nothing is there: the error says which. */
void qz_catalog_say_builtin(const char *const *operands, size_t n, qz_error *err);
/* The recipe that an artifact records (artifacts/provenance.h), in the arena; NULL: none. */
const char *qz_catalog_recipe(const char *path, qz_arena *arena);
#endif
