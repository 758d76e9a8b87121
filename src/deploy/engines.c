#include "deploy/engines.h"
#include "base/str.h"
#include <stdio.h>
#include <strings.h>

static const qz_runtime_info engines[QZ_RUNTIME_COUNT] = {
#define QZ_RUNTIME(id, name, title, version, date, confirmed, source) \
    [QZ_RUNTIME_##id] = {name, title, version, date, confirmed, source},
#include "deploy/engines.def"
};
static const qz_deploy_info kinds[QZ_DEPLOY_COUNT] = {
#define QZ_DEPLOY(id, name, title, bits, grouped, groups, contract, opened, fp4) \
    [QZ_DEPLOY_##id] = {name, title, bits, grouped, groups, contract, QZ_OPENS_##opened, fp4},
#include "deploy/engines.def"
};
static const qz_loads loads[] = {
#define QZ_LOADS(kind, engine, how, cc, native, note) \
    {QZ_DEPLOY_##kind, QZ_RUNTIME_##engine, QZ_##how, cc, native, note},
#include "deploy/engines.def"
};
/* Of kinds without a row; of others an empty note. */
static const struct { qz_loads loads; bool sure; } own_only[QZ_RUNTIME_COUNT] = {
#define QZ_READS_ONLY(engine, sure, note) \
    [QZ_RUNTIME_##engine] = {{QZ_DEPLOY_UNKNOWN, QZ_RUNTIME_##engine, QZ_REFUSES, 0, 0, note}, sure},
#include "deploy/engines.def"
};

const qz_runtime_info *qz_runtime_get(qz_runtime e) { return e < QZ_RUNTIME_COUNT ? &engines[e] : NULL; }
const qz_deploy_info *qz_deploy_get(qz_deploy d) { return d < QZ_DEPLOY_COUNT ? &kinds[d] : NULL; }

const qz_loads *qz_loads_get(qz_deploy d, qz_runtime e) {
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
        if (loads[i].kind == d && loads[i].engine == e) return &loads[i];
    return e < QZ_RUNTIME_COUNT && own_only[e].loads.note ? &own_only[e].loads : NULL;
}
bool qz_runtime_sure(qz_runtime e) { return e < QZ_RUNTIME_COUNT && (engines[e].confirmed || own_only[e].sure); }

qz_status qz_runtime_find(const char *name, qz_runtime *out, qz_error *err) {
    qz_near near = {.word = name};
    for (int i = 0; i < QZ_RUNTIME_COUNT; i++) {
        if (strcasecmp(engines[i].name, name) == 0 || strcasecmp(engines[i].title, name) == 0)
            return *out = (qz_runtime)i, QZ_OK;
        (void)qz_near_see(&near, engines[i].name);
    }
    return qz_fail(err, QZ_EUSAGE,
                   "unknown engine '%s': nearest known is '%s'; known are vllm, sglang, tgi, tensorrt-llm, "
                   "transformers, llama.cpp, ollama, "
                   "lm-studio, mlx",
                   name, near.best);
}

qz_deploy qz_deploy_by_name(const char *name) {
    for (int i = 0; i < QZ_DEPLOY_COUNT; i++)
        if (strcasecmp(kinds[i].name, name) == 0) return (qz_deploy)i;
    return QZ_DEPLOY_COUNT;
}

const char *qz_runtime_label(qz_runtime e, char buf[64]) {
    const qz_runtime_info *i = qz_runtime_get(e);
    (void)snprintf(buf, 64, "%s %s (%s)", i ? i->title : "no engine", i ? i->version : "", i ? i->date : "");
    return buf;
}

static const struct { qz_runtime engine; const char *types; } kv_types[] = {
#define QZ_KV_TYPES(engine, types) {QZ_RUNTIME_##engine, types},
#include "deploy/engines.def"
};
static const struct { qz_runtime engine; const char *type, *called; } kv_called[] = {
#define QZ_KV_CALLED(engine, type, called) {QZ_RUNTIME_##engine, type, called},
#include "deploy/engines.def"
};

const char *qz_runtime_kv_types(qz_runtime e) {
    for (size_t i = 0; i < sizeof kv_types / sizeof kv_types[0]; i++)
        if (kv_types[i].engine == e) return kv_types[i].types;
    return NULL;
}

const char *qz_runtime_kv(qz_runtime e, const char *type) {
    const char *list = qz_runtime_kv_types(e);
    for (size_t i = 0; i < sizeof kv_called / sizeof kv_called[0]; i++)
        if (kv_called[i].engine == e && strcasecmp(kv_called[i].type, type) == 0) return kv_called[i].called;
    for (qz_piece p; list && qz_list_next(&list, &p);)
        if (qz_piece_is(p, type)) return type;
    return NULL;
}
bool qz_runtime_is_llama(qz_runtime e) {
    return e == QZ_RUNTIME_LLAMA_CPP || e == QZ_RUNTIME_OLLAMA || e == QZ_RUNTIME_LM_STUDIO;
}
bool qz_runtime_launches(qz_runtime e) {
    return e == QZ_RUNTIME_VLLM || e == QZ_RUNTIME_SGLANG || e == QZ_RUNTIME_TRANSFORMERS ||
           e == QZ_RUNTIME_LLAMA_CPP || e == QZ_RUNTIME_OLLAMA;
}
