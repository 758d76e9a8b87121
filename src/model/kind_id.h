/* Names of the kinds (kinds.def) and of what a matrix is for, for who only passes one on. */
#ifndef QZ_MODEL_KIND_ID_H
#define QZ_MODEL_KIND_ID_H

typedef enum { QZ_SUB_MIXER, QZ_SUB_FFN, QZ_SUBS } qz_sub;
typedef enum {
#define QZ_KIND(id, sub, word, step) QZ_KIND_##id,
#include "model/kinds.def"
#undef QZ_KIND
    QZ_KIND_COUNT
} qz_kind_id;

/* What a matrix is for, whatever it is called: formats choose types by it. UNKNOWN: of a file whose model nobody here
 * knows; KEPT: no method quantizes it (norms, biases, routers, parts of a kind); STORED: only
 * where it is asked for (what predicts more tokens). */
typedef enum {
    QZ_USE_UNKNOWN,
    QZ_USE_KEPT,
    QZ_USE_STORED,
    QZ_USE_OTHER,
    QZ_USE_EMBED,
    QZ_USE_HEAD,
    QZ_USE_Q,
    QZ_USE_K,
    QZ_USE_V,
    QZ_USE_QKV,
    QZ_USE_KV_B,
    QZ_USE_O,
    QZ_USE_GATE,
    QZ_USE_UP,
    QZ_USE_DOWN
} qz_use;
#endif
