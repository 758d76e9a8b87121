#include "deploy/pick.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "formats/gguf.h"
#include "deploy/check_job.h"
#include "deploy/format_names.h"
#include "plan/memory.h"
#include "plan/numbers.h"
#include <stdio.h>
#include <string.h>

enum { CONFIG_LIMIT = 16 << 20, MANIFEST_LIMIT = 64 << 20 };

static qz_status oom(qz_error *err) { return qz_fail(err, QZ_EMEMORY, "out of memory"); }

static const char *dtype_of(const json_t *root) {
    const json_t *v = json_object_get(root, "dtype");
    if (!json_is_string(v)) v = json_object_get(root, "torch_dtype");
    if (!json_is_string(v)) v = json_object_get(json_object_get(root, "text_config"), "dtype");
    return json_is_string(v) ? json_string_value(v) : "";
}

/* The configuration as it is written, then the shape that it gives. */
static qz_status open_config(qz_check_job *j, const char *config, qz_error *err) {
    qz_error inner = {0};
    j->config = config;
    QZ_TRY(qz_json_load(config, CONFIG_LIMIT, &j->root, err));
    if (!json_is_object(j->root))
        return qz_fail(err, QZ_EFORMAT, "not a model configuration: file '%s': expected a JSON object", config);
    qz_status st = qz_operand_open(j->run, j->path, QZ_OPEN_LENIENT, &j->operand, &inner);
    const char *type = json_string_value(json_object_get(j->root, "model_type"));
    if (json_object_get(j->root, "auto_map") && (st != QZ_OK || !j->operand.shape->runs))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "model type '%s' asks for custom code (auto_map), and custom code is not run: file '%s'; use a "
                       "checkpoint without remote code",
                       type ? type : "?", config);
    if (st != QZ_OK) return qz_fail(err, st, "%s", inner.text);
    j->dtype = dtype_of(j->root);
    return qz_deploy_spec_json(j->root, config, &j->spec, err);
}

static qz_status open_folder(qz_check_job *j, qz_error *err) {
    char *config = qz_path_join(j->path, "config.json");
    const char *kept = config ? qz_arena_strdup(&j->arena, config) : NULL;
    qz_free(config);
    if (kept == NULL) return oom(err);
    j->folder = true;
    if (!qz_path_exists(kept)) return qz_operand_open(j->run, j->path, QZ_OPEN_LENIENT, &j->operand, err); /* says so */
    QZ_TRY(open_config(j, kept, err));
    return qz_operand_weight_files(j->path, &j->weight_files, err);
}

/* GGUF: the shape comes from its metadata; level, importance matrix and maker too. */
static qz_status open_gguf(qz_check_job *j, qz_error *err) {
    qz_gguf g = {0};
    QZ_TRY(qz_operand_open(j->run, j->path, QZ_OPEN_LENIENT, &j->operand, err));
    QZ_TRY(qz_file_size(j->path, &j->weight_files, err));
    j->gguf = j->facts.gguf = true;
    j->spec = (qz_deploy_spec){.kind = QZ_DEPLOY_GGUF, .sym = true, .zero_point = true};
    j->dtype = "";
    if (j->operand.shape == NULL) {
        j->foreign = "";
        return QZ_OK;
    }
    QZ_TRY(qz_gguf_open(&g, j->path, err));
    j->facts.level = j->operand.source.model && qz_gguf_key(&g, "general.file_type") ? j->operand.source.model->encoding
                                                                                     : NULL;
    j->facts.imatrix = qz_gguf_key(&g, "quantize.imatrix.file") != NULL ||
                       qz_gguf_key(&g, "quantize.imatrix.entries_count") != NULL;
    j->facts.provenance = qz_gguf_key(&g, "general.quantized_by") != NULL;
    qz_gguf_release(&g);
    return QZ_OK;
}

static qz_status open_builtin(qz_check_job *j, qz_error *err) {
    QZ_TRY(qz_operand_open(j->run, j->path, QZ_OPEN_LENIENT, &j->operand, err));
    const char *released = j->operand.shape->released;
    j->dtype = "bfloat16";
    j->spec = (qz_deploy_spec){.kind = QZ_DEPLOY_FLOAT, .bits = *released ? 0 : 16, .sym = true, .zero_point = true};
    (void)snprintf(j->spec.method, sizeof j->spec.method, "%s", released);
    if (released[0])
        j->spec.kind = strcmp(released, "mxfp4") == 0 ? QZ_DEPLOY_MXFP4
                       : strcmp(released, "fp8") == 0 ? QZ_DEPLOY_FP8_BLOCK
                                                      : QZ_DEPLOY_UNKNOWN;
    return QZ_OK;
}

static qz_status open_target(qz_check_job *j, qz_error *err) {
    const qz_check_options *r = &j->o;
    QZ_TRY(qz_target_parse(&r->target, &j->target, err));
    if (r->hardware == NULL) return QZ_OK;
    QZ_TRY(qz_hardware_open(&j->hardware, r->hardware_file, err));
    QZ_TRY(qz_hardware_choose(j->run, &j->hardware, r->hardware, &j->card, err));
    if (j->target.cc == 0 && j->card->capability > 0) j->target.cc = (unsigned)j->card->capability;
    return QZ_OK;
}

const qz_deploy_spec *qz_check_served(const qz_check_job *j) { return j->has_wanted ? &j->wanted : &j->spec; }

/* --to: a scheme, or a format that plan knows and others write. */
static qz_status read_wanted(qz_check_job *j, qz_error *err) {
    qz_level level;
    j->has_wanted = true;
    if (qz_scheme_parse(j->o.to, &j->scheme, err) == QZ_OK) {
        qz_deploy_spec_scheme(&j->scheme, &j->wanted);
        return QZ_OK;
    }
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

qz_status qz_check_open(qz_check_job *j, qz_error *err) {
    const char *path = j->path;
    QZ_TRY(open_target(j, err)); /* cheap refusals first */
    if (j->o.to) {
        QZ_TRY(read_wanted(j, err));
    }
    /* what is written */
    if (j->target.cc && j->target.cc < 80 &&
        (j->wanted.kind == QZ_DEPLOY_AWQ || j->wanted.kind == QZ_DEPLOY_GPTQ || j->wanted.kind == QZ_DEPLOY_BNB))
        j->wanted.dtype = "float16";
    qz_operand_kind kind;
    QZ_TRY(qz_operand_find(path, &kind, err));
    switch (kind) {
    case QZ_OPERAND_FOLDER: QZ_TRY(open_folder(j, err)); break;
    case QZ_OPERAND_CONFIG: QZ_TRY(open_config(j, path, err)); break;
    case QZ_OPERAND_FILE: QZ_TRY(open_gguf(j, err)); break;
    case QZ_OPERAND_BUILTIN: QZ_TRY(open_builtin(j, err)); break;
    }
    j->shape = j->operand.shape;
    j->model = j->operand.source.model;
    char *mp = qz_manifest_path(path);
    qz_error ignored = {0};
    if (mp && qz_path_exists(mp) && qz_json_load(mp, MANIFEST_LIMIT, &j->manifest, &ignored) != QZ_OK)
        qz_check_add(&j->f, "CHK-HASH", qz_path_base(mp), "the manifest cannot be read: %s", ignored.text);
    qz_free(mp);
    if (j->manifest) j->facts.provenance = true;
    if (j->shape) QZ_TRY(qz_deploy_shape_of(j->shape, j->dtype, &j->arena, &j->deploy, err));
    j->facts.spec = &j->spec;
    j->facts.wanted = j->has_wanted ? &j->wanted : NULL;
    j->facts.scheme = j->has_wanted && !j->unwritten ? &j->scheme : NULL;
    j->facts.params = j->shape ? j->shape->params : 0;
    j->facts.artifact = j->weight_files > 0;
    j->facts.workload = j->o.workload;
    j->facts.engine = j->target.engine == QZ_RUNTIME_NONE ? NULL : qz_runtime_get(j->target.engine)->name;
    j->facts.verified_with = json_string_value(
        json_object_get(json_object_get(j->manifest, "provenance"), "verified_with"));
    return QZ_OK;
}

void qz_check_release(qz_check_job *j) {
    json_decref(j->root);
    json_decref(j->manifest);
    if (j->model != j->operand.source.model) qz_model_free(j->model); /* opened by qz_check_tensors */
    qz_operand_release(&j->operand);
    if (j->tokenizer) qz_tokenizer_free(j->tokenizer);
    qz_hardware_release(&j->hardware);
    qz_arena_release(&j->arena);
}

/* Level of --to, or of what is stored, where the memory model knows it. */
static bool level_of(const qz_check_job *j, qz_level *out) {
    qz_error ignored = {0};
    return qz_level_parse(j->has_wanted ? j->scheme.name : "bf16", out, &ignored) == QZ_OK;
}

qz_status qz_check_memory(qz_check_job *j, qz_error *err) {
    const qz_check_options *r = &j->o;
    qz_check_facts *x = &j->facts;
    qz_weighed w = {0};
    qz_kv_plan_result kv = {0};
    qz_kv_types types = {QZ_KV_F16, QZ_KV_F16};
    qz_level level = QZ_LEVEL_COUNT;
    x->float_bytes = 2 * x->params;
    x->weight_bytes = j->has_wanted ? 0 : j->weight_files;
    if (x->weight_bytes == 0 && j->spec.kind != QZ_DEPLOY_FLOAT && !j->has_wanted) {
        x->weight_bytes = qz_released_bytes(j->shape);
        if (x->weight_bytes == 0) x->weight_bytes = x->params * (j->spec.bits ? j->spec.bits : 4) / 8;
    }
    if (x->weight_bytes == 0 && level_of(j, &level)) {
        qz_error why = {0};
        qz_status st = qz_level_weigh(j->shape, level, true, NULL, &w, &why);
        if (st != QZ_OK && st != QZ_EUNSUPPORTED) return qz_fail(err, st, "%s", why.text);
        if (st == QZ_EUNSUPPORTED) { /* quantize's own refusal says more where there are weights to plan with */
            if (j->model == NULL && j->weight_files == 0) qz_check_add(&j->f, "CHK-WRITE", "", "%s", why.text);
            x->weight_bytes = x->float_bytes;
        } else x->weight_bytes = w.bytes;
    }
    if (j->gguf && j->model && x->params) x->bits_per_weight = 8.0 * (double)j->model->file_bytes / (double)x->params;
    if (j->gguf && x->level && qz_level_parse(x->level, &level, &(qz_error){0}) == QZ_OK &&
        qz_level_weigh(j->shape, level, true, NULL, &w, &(qz_error){0}) == QZ_OK)
        x->substituted = w.substituted;
    if (j->card == NULL) return QZ_OK;
    /* engine spellings: fp8_e4m3, bfloat16 */
    if (r->target.kv && qz_kv_types_parse(r->target.kv, &types, &(qz_error){0}) != QZ_OK)
        types.k = types.v = strncmp(r->target.kv, "fp8", 3) == 0    ? QZ_KV_FP8
                            : strncmp(r->target.kv, "int8", 4) == 0 ? QZ_KV_INT8
                                                                    : QZ_KV_F16;
    x->users = 1;
    x->ctx = j->shape->max_position < 4096 ? j->shape->max_position : 4096;
    QZ_TRY(qz_plan_number(r->users, "users", 1000000, &x->users, err));
    QZ_TRY(qz_plan_number(r->contexts, "ctx", 100000000, &x->ctx, err));
    QZ_TRY(qz_kv_plan(j->shape, types, x->users, x->ctx, &kv, err));
    x->kv_bytes = kv.bytes;
    double share = r->reserve / 100, bytes = 0;
    if (r->reserve < 0) qz_pick_budget(j->card, j->target.engine, &share, &bytes);
    x->budget = (uint64_t)(((double)qz_hardware_bytes(j->card) * (1.0 - share) - bytes) *
                           (double)(j->target.tp ? j->target.tp : 1));
    return QZ_OK;
}
