/* The families by name: those that run, from 0 on, then those that are only planned, behind
 * QZ_FAMILY_COUNT (families.def). For the few files that treat one apart; the others carry a qz_family and
 * read its row. */
#ifndef QZ_MODEL_FAMILIES_H
#define QZ_MODEL_FAMILIES_H
#include "model/config.h"

enum {
#define QZ_FAMILY(id, ...) QZ_FAMILY_##id,
#include "model/families.def"
#undef QZ_FAMILY
    QZ_FAMILY_COUNT,
#define QZ_FAMILY(id, ...)
#define QZ_PLANNED_FAMILY(id, ...) QZ_FAMILY_##id,
#include "model/families.def"
#undef QZ_FAMILY
#undef QZ_PLANNED_FAMILY
    QZ_FAMILY_ALL
};
/* Known by name alone, i from 0 on; NULL behind the last. */
typedef struct { const char *name, *gguf_arch, *blocks; } qz_named_family;
const qz_named_family *qz_family_named(size_t i);
#endif
