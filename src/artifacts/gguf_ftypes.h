/* The file types by name (gguf_ftypes.def); who only carries one includes gguf_mix.h. */
#ifndef QZ_ARTIFACTS_GGUF_FTYPES_H
#define QZ_ARTIFACTS_GGUF_FTYPES_H
#include "artifacts/gguf_mix.h"

enum {
#define QZ_FTYPE(id, ...) QZ_FTYPE_##id,
#include "artifacts/gguf_ftypes.def"
#undef QZ_FTYPE
    QZ_FTYPE_COUNT
};
#endif
