#include "plan/operand.h"
#include "artifacts/open.h"
#include "artifacts/raw.h"
#include "base/io.h"
#include "base/size.h"
#include "formats/formats.h"
#include "model/leftovers.h"
#include <string.h>

qz_status qz_operand_find(const char *text, qz_operand_kind *kind, qz_error *err) {
    if (!qz_path_exists(text)) {
        const bool path = strchr(text, '/') != NULL || qz_str_ends(text, ".json") || qz_str_ends(text, ".gguf");
        *kind = QZ_OPERAND_BUILTIN;
        return path && !qz_shape_is_builtin(text) ? qz_path_missing(text, err) : QZ_OK;
    }
    if (qz_path_is_dir(text)) *kind = QZ_OPERAND_FOLDER;
    else *kind = qz_str_ends(text, ".json") ? QZ_OPERAND_CONFIG : QZ_OPERAND_FILE;
    return QZ_OK;
}

static bool has(const char *dir, const char *name) {
    char *p = qz_path_join(dir, name);
    const bool yes = p && qz_path_exists(p);
    qz_free(p);
    return yes;
}

/* With weights at hand their real bytes and the tokenizer count too; what this program cannot open is planned
 * from config.json. */
static qz_status folder_weights(qz_run *run, const char *path, qz_operand *o, qz_error *err) {
    qz_error why = {0};
    if (!o->shape->runs || (!has(path, "model.safetensors") && !has(path, "model.safetensors.index.json")))
        return QZ_OK;
    qz_status st = qz_source_open(run, path, &o->source, &why);
    if (st != QZ_OK && st != QZ_EUNSUPPORTED) return qz_fail(err, st, "%s", why.text);
    if (st != QZ_OK) qz_info(run, "the weights are not read (%s): planned from config.json", why.text);
    return QZ_OK;
}

/* A GGUF file whose architecture is none of ours: well-formed, and no shape. */
static bool foreign(const char *path, const qz_error *why) {
    qz_format f = QZ_FORMAT_COUNT;
    return qz_format_probe(path, &f, &(qz_error){0}) == QZ_OK && f == QZ_FORMAT_GGUF && qz_raw_foreign(path, why);
}

static qz_status open_file(qz_run *run, const char *path, qz_opening how, qz_operand *o, qz_error *err) {
    if (how == QZ_OPEN_WEIGHTS) {
        QZ_TRY(qz_source_open(run, path, &o->source, err));
        return qz_shape_from_model(o->source.model, o->source.name, &o->shape, err);
    }
    qz_model *announced = NULL;
    qz_status st = qz_artifact_open(run, path, &o->source.model, how == QZ_OPEN_LENIENT ? &o->fault : err);
    if (st != QZ_OK && how != QZ_OPEN_LENIENT) return st;
    if (st != QZ_OK && foreign(path, &o->fault)) return QZ_OK;
    if (st != QZ_OK && ((st != QZ_EFORMAT && st != QZ_EUNSUPPORTED) ||
                        qz_artifact_announced(path, &announced, &(qz_error){0}) != QZ_OK))
        return qz_fail(err, st, "%s", o->fault.text);
    st = qz_shape_from_model(announced ? announced : o->source.model, qz_path_base(path), &o->shape, err);
    qz_model_free(announced);
    return st;
}

qz_status qz_operand_open(qz_run *run, const char *text, qz_opening how, qz_operand *o, qz_error *err) {
    *o = (qz_operand){0};
    QZ_TRY(qz_operand_find(text, &o->kind, err));
    if (o->kind == QZ_OPERAND_BUILTIN) return qz_shape_builtin(text, &o->shape, err);
    if (o->kind == QZ_OPERAND_FILE) return open_file(run, text, how, o, err);
    if (o->kind == QZ_OPERAND_FOLDER && !has(text, "config.json") && has(text, "adapter_config.json"))
        return qz_fail(err, QZ_EFORMAT,
                       "a LoRA adapter, no model: folder '%s': expected a checkpoint or an artifact; give it beside "
                       "its base model (run, eval, check --lora) or merge it (merge BASE ADAPTER)",
                       text);
    if (o->kind == QZ_OPERAND_FOLDER && !has(text, "config.json"))
        return qz_fail(err, QZ_EFORMAT, "no config.json in folder '%s': expected a checkpoint or an artifact", text);
    QZ_TRY(qz_shape_load(text, &o->shape, err));
    if (how != QZ_OPEN_LENIENT) qz_keys_say(run, text, &o->shape->config.keys);
    return how == QZ_OPEN_WEIGHTS && o->kind == QZ_OPERAND_FOLDER ? folder_weights(run, text, o, err) : QZ_OK;
}

qz_status qz_operand_weight_files(const char *dir, uint64_t *bytes, qz_error *err) {
    char **names = NULL;
    size_t n = 0;
    *bytes = 0;
    QZ_TRY(qz_list_dir(dir, &names, &n, err));
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        uint64_t size = 0;
        char *file = qz_str_ends(names[i], ".safetensors") ? qz_path_join(dir, names[i]) : NULL;
        if (file) st = qz_file_size(file, &size, err);
        *bytes += size;
        qz_free(file);
    }
    qz_free_names(names, n);
    return st;
}

void qz_operand_release(qz_operand *o) {
    qz_source_release(&o->source);
    qz_shape_free(o->shape);
    *o = (qz_operand){0};
}
