/* The families by name (families.def), for the few files that treat one apart; the others carry a qz_family and read its row. */
#ifndef QZ_MODEL_FAMILIES_H
#define QZ_MODEL_FAMILIES_H
#include "model/config.h"

enum {
#define QZ_FAMILY(id, ...) QZ_FAMILY_##id,
#include "model/families.def"
#undef QZ_FAMILY
    QZ_FAMILY_COUNT
};
#endif
