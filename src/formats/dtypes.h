/* The element types of safetensors by name (dtypes.def); who only carries one includes safetensors.h. */
#ifndef QZ_FORMATS_DTYPES_H
#define QZ_FORMATS_DTYPES_H
#include "formats/safetensors.h"

enum {
#define QZ_ST_DTYPE(id, ...) QZ_ST_##id,
#include "formats/dtypes.def"
#undef QZ_ST_DTYPE
    QZ_ST_DTYPE_COUNT
};
#endif
