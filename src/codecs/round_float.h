/* A value as a float type holds it; any other type: as it is. */
#ifndef QZ_CODECS_ROUND_FLOAT_H
#define QZ_CODECS_ROUND_FLOAT_H
#include "codecs/type_id.h"

float qz_round_float(qz_type t, float v);
#endif
