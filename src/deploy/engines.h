/* Engines, kinds of artifacts and which loads which: rows of engines.def, each with version, date and source. A pair
 * without a row is unknown, and is said to be.
 * qz_runtime e; qz_runtime_find("vllm", &e, err); const qz_loads *l = qz_loads_get(QZ_DEPLOY_AWQ, e); (NULL: unknown).
 * Static tables, nothing to free. Source: formats/engines.md. */
#ifndef QZ_DEPLOY_ENGINES_H
#define QZ_DEPLOY_ENGINES_H
#include <stdbool.h>
#include <stddef.h>
#include "base/status.h"

typedef enum {
#define QZ_RUNTIME(id, ...) QZ_RUNTIME_##id,
#include "deploy/engines.def"
    QZ_RUNTIME_COUNT,
    QZ_RUNTIME_NONE = QZ_RUNTIME_COUNT
} qz_runtime;

typedef enum {
#define QZ_DEPLOY(id, ...) QZ_DEPLOY_##id,
#include "deploy/engines.def"
    QZ_DEPLOY_COUNT
} qz_deploy;

typedef struct {
    const char *name, *title, *version, *date;
    bool confirmed;         /* read in source, not in documentation only */
    const char *source;
} qz_runtime_info;

typedef enum { QZ_OPENS_NONE, QZ_OPENS_SOME, QZ_OPENS_ALL } qz_opens; /* some: others write more layouts */
typedef struct {
    const char *name, *title;
    unsigned bits;          /* 0: several */
    bool grouped;
    const char *groups;     /* group sizes that a writer may offer, best first: "128,64,32,-1" */
    const char *contract;   /* "W4A16" */
    qz_opens opened;        /* by this program */
    bool fp4;               /* blocks of 4-bit floats that were rounded from 16 bits */
} qz_deploy_info;

typedef enum { QZ_RUNS, QZ_DEQUANTIZES, QZ_REFUSES } qz_loading;
typedef struct {
    qz_deploy kind;
    qz_runtime engine;
    qz_loading how;
    unsigned cc, native_cc; /* capability x10: least to load, least for full arithmetic; 0 = no rule */
    const char *note;
} qz_loads;

const qz_runtime_info *qz_runtime_get(qz_runtime e);   /* NULL for QZ_RUNTIME_NONE */
const qz_deploy_info *qz_deploy_get(qz_deploy d);
/* NULL: unknown. Of engines with a container of their own all that has no row is refused. */
const qz_loads *qz_loads_get(qz_deploy d, qz_runtime e);
/* What it refuses it refuses for sure: read in source, or by its own file format. */
bool qz_runtime_sure(qz_runtime e);
/* Case-insensitive; QZ_EUSAGE offers the nearest name. */
qz_status qz_runtime_find(const char *name, qz_runtime *out, qz_error *err);
/* QZ_DEPLOY_COUNT if there is no such kind. */
qz_deploy qz_deploy_by_name(const char *name);
/* KV cache types an engine takes: a list with commas, NULL = unknown. */
const char *qz_runtime_kv_types(qz_runtime e);
/* What the engine calls a type of plan's ("fp8" is SGLang's "fp8_e4m3"); a spelling of its own is returned as it is.
 * NULL: it has none, or its types are not known. */
const char *qz_runtime_kv(qz_runtime e, const char *type);
/* llama.cpp, and what runs models through it. */
bool qz_runtime_is_llama(qz_runtime e);
/* Engines that `explain launch` has a line for. */
bool qz_runtime_launches(qz_runtime e);
/* "vLLM 0.33.0 (2026-11-21)" */
const char *qz_runtime_label(qz_runtime e, char buf[64]);
#endif
