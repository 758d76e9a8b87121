/* Names of the kinds (kinds.def), for who only passes one on. */
#ifndef QZ_MODEL_KIND_ID_H
#define QZ_MODEL_KIND_ID_H

typedef enum { QZ_SUB_MIXER, QZ_SUB_FFN, QZ_SUBS } qz_sub;
typedef enum {
#define QZ_KIND(id, sub, word, step) QZ_KIND_##id,
#include "model/kinds.def"
#undef QZ_KIND
    QZ_KIND_COUNT
} qz_kind_id;
#endif
