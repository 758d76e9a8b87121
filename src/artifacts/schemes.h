/* The schemes by name (schemes.def), for files that treat one apart; who carries a qz_scheme_spec includes scheme.h. */
#ifndef QZ_ARTIFACTS_SCHEMES_H
#define QZ_ARTIFACTS_SCHEMES_H
#include "artifacts/scheme.h"

enum {
#define QZ_SCHEME(id, ...) QZ_SCHEME_##id,
#include "artifacts/schemes.def"
#undef QZ_SCHEME
    QZ_SCHEME_COUNT
};
#endif
