#include "artifacts/gguf_ftypes.h"
#include "artifacts/open.h"
#include "artifacts/provenance.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/gguf.h"
#include "deploy/check_job.h"
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

qz_status qz_check_config(const char *path, qz_arena *arena, json_t **root, qz_deploy_spec *spec, const char **dtype,
                          qz_error *err) {
    char *joined = qz_path_is_dir(path) ? qz_path_join(path, "config.json") : qz_strdup(path);
    const char *config = joined ? qz_arena_strdup(arena, joined) : NULL;
    qz_free(joined);
    if (config == NULL) return oom(err);
    QZ_TRY(qz_json_load(config, CONFIG_LIMIT, root, err));
    *dtype = dtype_of(*root);
    return qz_deploy_spec_json(*root, config, spec, err);
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
    qz_error ignored = {0};
    const bool other = st == QZ_EUNSUPPORTED && j->folder && qz_config_family(config, &ignored) == QZ_EUNSUPPORTED;
    if (other) { /* a family that nothing here knows: its files say something all the same */
        j->foreign = "";
        j->operand.fault = inner;
    } else if (st != QZ_OK) return qz_fail(err, st, "%s", inner.text);
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
    j->facts.provenance = qz_gguf_key(&g, "general.quantized_by") || qz_gguf_key(&g, "quantz." QZ_SOURCE_KEY) ||
                          qz_gguf_key(&g, "quantz." QZ_RECIPE_KEY);
    qz_gguf_release(&g);
    const qz_ftype level = j->facts.level ? qz_ftype_by_name(j->facts.level) : QZ_FTYPE_COUNT;
    if (level != QZ_FTYPE_COUNT)
        j->spec.block = qz_type_get(qz_type_by_ggml_id((int)qz_ftype_get(level)->type))->elems;
    return QZ_OK;
}

static qz_status open_builtin(qz_check_job *j, qz_error *err) {
    QZ_TRY(qz_operand_open(j->run, j->path, QZ_OPEN_LENIENT, &j->operand, err));
    j->dtype = "bfloat16";
    qz_check_stored(j->operand.shape->released, &j->spec);
    return QZ_OK;
}

qz_status qz_check_open(qz_check_job *j, qz_error *err) {
    const char *path = j->path;
    QZ_TRY(qz_check_target(j, err)); /* cheap refusals first */
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
    QZ_TRY(qz_check_settle(j, err));
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
    qz_machine_release(&j->machine);
    qz_arena_release(&j->arena);
}
