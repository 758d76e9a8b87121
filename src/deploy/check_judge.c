/* What options, shape and format decide without reading a weight. `check` judges its input so, `pick` its own answer:
 * one evaluation, so that neither can say what the other does not. */
#include "artifacts/gguf_deviations.h"
#include "base/size.h"
#include "deploy/check_job.h"
#include "deploy/format_names.h"
#include "deploy/pick.h"
#include "plan/memory.h"
#include "plan/numbers.h"
#include "plan/split.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static qz_status read_target(qz_check_job *j, qz_error *err) {
    const qz_check_options *o = &j->o;
    QZ_TRY(qz_target_parse(&o->target, &j->target, err));
    j->target.lora |= o->workload && strcmp(o->workload, "adapters") == 0;
    if (j->card == NULL) {
        const qz_machine_asked asked = {o->hardware, o->hardware_file, o->memory, o->target.cc};
        QZ_TRY(qz_machine_open(j->run, &asked, &j->machine, err));
        j->card = j->machine.hardware;
    }
    QZ_TRY(qz_machine_shares(j->card, o->target.tp, err));
    const char *kind = j->card ? j->card->kind : "";
    if (strcmp(kind, "cpu") == 0 || strcmp(kind, "mac") == 0) j->target.host = j->card->name;
    if (j->target.cc == 0 && j->card && j->card->capability > 0) j->target.cc = (unsigned)j->card->capability;
    if (o->ram) QZ_TRY(qz_bytes_parse(o->ram, "ram", &j->system_bytes, err));
    if (o->dtype && strcmp(o->dtype, "float16") != 0 && strcmp(o->dtype, "bfloat16") != 0 &&
        strcmp(o->dtype, "float32") != 0)
        return qz_fail(err, QZ_EUSAGE, "unknown type '%s' for --dtype: expected float16, bfloat16 or float32",
                       o->dtype);
    return QZ_OK;
}

/* --to: a scheme, or a format that plan knows and others write. */
static qz_status read_wanted(qz_check_job *j, qz_error *err) {
    qz_level level;
    j->has_wanted = true;
    if (qz_scheme_parse(j->o.to, &j->scheme, err) == QZ_OK) {
        qz_deploy_spec_scheme(&j->scheme, &j->wanted);
        return QZ_OK;
    }
    QZ_TRY(qz_scheme_one_of(j->o.to, &(qz_error){0})); /* has been said */
    if (qz_level_parse(j->o.to, &level, &(qz_error){0}) != QZ_OK) return err->code;
    *err = (qz_error){0};
    if (qz_level_scheme(level)) {
        QZ_TRY(qz_scheme_parse(qz_level_scheme(level), &j->scheme, err));
        qz_deploy_spec_scheme(&j->scheme, &j->wanted);
        return QZ_OK;
    }
    qz_deploy_spec_level(qz_level_get(level)->name, level, &j->wanted);
    (void)snprintf(j->scheme.name, sizeof j->scheme.name, "%s", qz_level_get(level)->name);
    j->unwritten = true;
    return QZ_OK;
}

qz_status qz_check_target(qz_check_job *j, qz_error *err) {
    QZ_TRY(read_target(j, err));
    if (j->o.to) QZ_TRY(read_wanted(j, err));
    /* what is written */
    if (j->target.cc && j->target.cc < 80 &&
        (j->wanted.kind == QZ_DEPLOY_AWQ || j->wanted.kind == QZ_DEPLOY_GPTQ || j->wanted.kind == QZ_DEPLOY_BNB))
        j->wanted.dtype = "float16";
    if (j->o.dtype) j->wanted.dtype = j->o.dtype;
    return QZ_OK;
}

qz_status qz_check_settle(qz_check_job *j, qz_error *err) {
    if (j->o.dtype) j->spec.dtype = j->o.dtype;
    if (j->shape) QZ_TRY(qz_deploy_shape_of(j->shape, j->dtype, &j->arena, &j->deploy, err));
    j->facts.spec = &j->spec;
    j->facts.wanted = j->has_wanted ? &j->wanted : NULL;
    j->facts.scheme = j->has_wanted && !j->unwritten ? &j->scheme : NULL;
    j->facts.params = j->shape ? j->shape->params : 0;
    j->facts.artifact = j->weight_files > 0;
    j->facts.workload = j->o.workload;
    j->facts.engine = j->target.engine == QZ_RUNTIME_NONE ? NULL : qz_runtime_get(j->target.engine)->name;
    return QZ_OK;
}

void qz_check_stored(const char *released, qz_deploy_spec *out) {
    *out = (qz_deploy_spec){.kind = QZ_DEPLOY_FLOAT, .bits = *released ? 0 : 16, .sym = true, .zero_point = true};
    (void)snprintf(out->method, sizeof out->method, "%s", released);
    if (*released == 0) return;
    const qz_level level = qz_level_of_release(released);
    const bool blocks = strcmp(released, "fp8") == 0; /* published FP8 checkpoints have scales of blocks */
    out->kind = blocks ? QZ_DEPLOY_FP8_BLOCK : qz_deploy_of_method(released);
    if (strcmp(released, "gguf") == 0) out->kind = QZ_DEPLOY_GGUF;
    if (level < QZ_LEVEL_COUNT && qz_deploy_get(out->kind)->grouped)
        out->bits = qz_level_get(level)->bits, out->group_size = (long)qz_level_get(level)->group;
}

const qz_deploy_spec *qz_check_served(const qz_check_job *j) { return j->has_wanted ? &j->wanted : &j->spec; }

/* Level of --to, or of what is stored, where the memory model knows it. */
static bool level_of(const qz_check_job *j, qz_level *out) {
    qz_error ignored = {0};
    return qz_level_parse(j->has_wanted ? j->scheme.name : "bf16", out, &ignored) == QZ_OK;
}

static qz_status weigh(qz_check_job *j, qz_level *level, qz_error *err) {
    qz_check_facts *x = &j->facts;
    qz_weighed w = {0};
    x->float_bytes = 2 * x->params;
    x->weight_bytes = j->has_wanted ? 0 : j->weight_files;
    if (x->weight_bytes == 0 && j->spec.kind != QZ_DEPLOY_FLOAT && !j->has_wanted) {
        x->weight_bytes = qz_released_bytes(j->shape);
        if (x->weight_bytes == 0) x->weight_bytes = x->params * (j->spec.bits ? j->spec.bits : 4) / 8;
    }
    if (x->weight_bytes == 0 && level_of(j, level)) {
        qz_error why = {0};
        qz_status st = qz_level_weigh(j->shape, *level, true, NULL, &w, &why);
        if (st != QZ_OK && st != QZ_EUNSUPPORTED) return qz_fail(err, st, "%s", why.text);
        if (st == QZ_EUNSUPPORTED) { /* quantize's own refusal says more where there are weights to plan with */
            if (j->model == NULL && j->weight_files == 0) qz_check_add(&j->f, "CHK-WRITE", "", "%s", why.text);
            x->weight_bytes = x->float_bytes;
            *level = QZ_LEVEL_COUNT;
        } else x->weight_bytes = w.bytes;
    }
    if (j->gguf && j->model && x->params) x->bits_per_weight = qz_model_bits_per_weight(j->model);
    qz_level stored;
    if (j->gguf && x->level && qz_level_parse(x->level, &stored, &(qz_error){0}) == QZ_OK &&
        qz_level_weigh(j->shape, stored, true, NULL, &w, &(qz_error){0}) == QZ_OK)
        x->substituted = w.substituted;
    return QZ_OK;
}

/* The last layers on the card, the others in system memory, as llama.cpp deals them out. */
static qz_status split(qz_check_job *j, const qz_memory_query *q, qz_level level, qz_error *err) {
    qz_layer_split s;
    qz_check_facts *x = &j->facts;
    const uint64_t usable = (uint64_t)((double)q->capacity * (1 - q->reserve));
    QZ_TRY(qz_split_plan(&(qz_split_query){j->shape, level, q->kv, q->users * q->ctx, usable, q->overhead}, &s, err));
    x->offloaded = true;
    x->system_bytes = s.system_bytes;
    x->system_kv = s.system_kv;
    x->system_usable = qz_pick_system_usable(j->system_bytes);
    return QZ_OK;
}

static qz_status memory(qz_check_job *j, qz_level level, qz_error *err) {
    const qz_check_options *o = &j->o;
    qz_check_facts *x = &j->facts;
    qz_kv_types types = {QZ_KV_F16, QZ_KV_F16};
    qz_memory m;
    const char *kv = o->target.kv ? o->target.kv : qz_deploy_cache(qz_check_served(j));
    /* engine spellings: fp8_e4m3, bfloat16 */
    if (kv && qz_kv_types_parse(kv, &types, &(qz_error){0}) != QZ_OK)
        types.k = types.v = strncmp(kv, "fp8", 3) == 0    ? QZ_KV_FP8
                            : strncmp(kv, "int8", 4) == 0 ? QZ_KV_INT8
                                                          : QZ_KV_F16;
    x->users = 1;
    x->ctx = qz_shape_default_ctx(j->shape);
    QZ_TRY(qz_plan_number(o->users, "users", 1000000, &x->users, err));
    QZ_TRY(qz_plan_number(o->contexts, "ctx", 100000000, &x->ctx, err));
    x->max_ctx = j->shape->max_position;
    if (j->card == NULL) return QZ_OK;
    const bool training = o->workload && strcmp(o->workload, "training") == 0; /* keeps no cache */
    qz_memory_query q = {.shape = j->shape, .level = QZ_LEVEL_COUNT, .kv = types, .users = x->users,
                         .ctx = training ? 0 : x->ctx, .capacity = qz_hardware_bytes(j->card),
                         .devices = j->target.tp, .weight_bytes = x->weight_bytes};
    double bytes;
    qz_pick_budget(j->card, j->target.engine, o->reserve, &q.reserve, &bytes);
    q.overhead = (uint64_t)bytes;
    QZ_TRY(qz_memory_plan(&q, &m, err));
    const uint64_t n = q.devices > 1 ? q.devices : 1;
    x->kv_bytes = m.kv.bytes;
    x->budget = m.usable * n;
    x->buffers = m.buffers;
    qz_memory_query floats = q;
    floats.weight_bytes = x->float_bytes;
    floats.kv = (qz_kv_types){QZ_KV_F16, QZ_KV_F16};
    QZ_TRY(qz_memory_plan(&floats, &m, err));
    x->floats_fit = m.fits;
    const bool gguf = level < QZ_LEVEL_COUNT && qz_level_get(level)->kind == QZ_LEVEL_GGUF;
    if (j->system_bytes && gguf && x->weight_bytes + x->kv_bytes + x->buffers > x->budget)
        QZ_TRY(split(j, &q, level, err));
    return QZ_OK;
}

/* What llama.cpp computes otherwise; a manifest knows what its file cannot say. */
static void deviations(qz_check_job *j) {
    static const char *const codes[] = {[QZ_DEVIATES_LATER] = "PRE-LATER", [QZ_DEVIATES] = "PRE-GRAPH",
                                        [QZ_DEVIATES_STOPS] = "PRE-LOADER"};
    const json_t *told = j->gguf && !j->has_wanted ? json_object_get(j->manifest, "deviations") : NULL;
    const bool asked = j->target.engine == QZ_RUNTIME_NONE || qz_runtime_is_llama(j->target.engine);
    if (qz_check_served(j)->kind != QZ_DEPLOY_GGUF || !asked || !j->shape || !j->shape->runs) return;
    qz_gguf_deviation x;
    for (size_t i = 0; told ? i < json_array_size(told) : qz_gguf_deviation_at(&j->shape->config, i, &x); i++) {
        if (told && !qz_gguf_deviation_read(json_array_get(told, i), &x)) continue;
        qz_check_add(&j->f, codes[x.how], "", "%s%s%s", x.text, *x.size ? ", " : "", x.size);
    }
}

qz_status qz_check_judge(qz_check_job *j, qz_error *err) {
    qz_level level = QZ_LEVEL_COUNT;
    QZ_TRY(weigh(j, &level, err));
    QZ_TRY(memory(j, level, err));
    if (j->unwritten)
        qz_check_add(&j->f, "CHK-FOREIGN", "",
                     "'%s' is made by other programs; nothing is known of their limits but the engine's rules",
                     j->scheme.name);
    if (j->facts.adapter == 0 && j->target.lora && qz_check_served(j)->kind != QZ_DEPLOY_FLOAT) j->facts.adapter = 3;
    qz_check_deployment(&j->facts, &j->f);
    deviations(j);
    return qz_preflight_artifact(j->has_wanted ? NULL : j->model, json_object_get(j->root, "quantization_config"),
                                 &j->deploy, qz_check_served(j), &j->target, &j->f, err);
}
