/* Opens anything that holds a model, by content, and finds its tokenizer. */
#include "artifacts/artifacts_int.h"
#include "artifacts/folder.h"
#include "artifacts/loose.h"
#include "artifacts/schemes.h"
#include "base/json.h"
#include "base/size.h"
#include "model/config_keys.h"
#include "model/leftovers.h"
#include <string.h>

#define CONFIG_LIMIT ((size_t)16 << 20)

static qz_status find_scheme(const char *path, const qz_scheme_ops **out, qz_error *err) {
    *out = NULL;
    if (!qz_path_exists(path)) return qz_path_missing(path, err);
    for (int s = 0; s < QZ_SCHEME_COUNT && !*out; s++) {
        bool yes = false;
        QZ_TRY(qz_scheme_ops_get((qz_scheme)s)->detect(path, &yes, err));
        if (yes) *out = qz_scheme_ops_get((qz_scheme)s);
    }
    if (!*out && !qz_path_is_dir(path))
        return qz_fail(err, QZ_EFORMAT,
                       "weights without a configuration: file '%s': expected a GGUF file or a checkpoint folder, found "
                       "a safetensors file by itself; "
                       "give its folder with config.json",
                       path);
    return QZ_OK;
}

/* A folder with a quantization that no scheme claims is not a plain checkpoint; *off: unless its settings switch it
 * off. */
static qz_status refuse_quantized(const char *dir, bool *off, qz_error *err) {
    char *path = qz_path_join(dir, "config.json");
    json_t *root = NULL;
    qz_status st = QZ_OK;
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
    if (qz_path_exists(path)) st = qz_json_load(path, CONFIG_LIMIT, &root, err);
    const json_t *q = json_object_get(root, "quantization_config");
    const char *key = "quantization_config";
    if (qz_json_empty(q)) q = json_object_get(root, key = "compression_config"); /* its name until transformers 4.45 */
    *off = qz_folder_bnb_off(q);
    if (st == QZ_OK && !qz_json_empty(q) && !json_is_object(q))
        st = qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key '%s': expected an object or null, found %s", path,
                     key, qz_json_kind(q));
    else if (st == QZ_OK && !qz_json_empty(q) && !*off) {
        const char *method = json_string_value(json_object_get(q, "quant_method"));
        st = qz_fail(err, QZ_EUNSUPPORTED,
                     "unsupported quantization '%.40s': file '%s', key '%s': expected awq, gptq, bitsandbytes, "
                     "fp8, compressed-tensors, modelopt, fbgemm_fp8, quark or mxfp4; give the 16-bit checkpoint",
                     method ? method : "?", path, key);
    }
    json_decref(root);
    qz_free(path);
    return st;
}

static qz_status family_first(const char *path, qz_error *err) {
    char *config = qz_path_is_dir(path) ? qz_path_join(path, "config.json") : NULL;
    qz_error why = {0};
    qz_status st = config && qz_path_exists(config) ? qz_config_family(config, &why) : QZ_OK;
    if (st != QZ_OK)
        st = qz_fail(err, st, "%s%s", why.text,
                     st == QZ_EUNSUPPORTED && qz_st_dir_present(path)
                         ? "; 'quantz quantize' without data needs no family (--to ct, fp8, bnb)"
                         : "");
    qz_free(config);
    return st;
}

qz_status qz_artifact_open(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    const qz_scheme_ops *ops = NULL;
    const bool loose = run && run->loose;
    *out = NULL;
    if (!loose) QZ_TRY(family_first(path, err));
    QZ_TRY(find_scheme(path, &ops, err));
    if (ops && loose) return ops->read(run, path, out, err);
    if (loose) return qz_loose_open(run, path, out, err);
    if (ops) QZ_TRY(ops->read(run, path, out, err));
    else {
        bool off = false;
        QZ_TRY(refuse_quantized(path, &off, err));
        QZ_TRY(qz_model_open(run, path, out, err));
        if (off)
            qz_keys_add(&(*out)->config.keys, QZ_KEYS_NOTED, "", "quantization_config", "bitsandbytes switched off");
    }
    qz_status st = qz_leftovers_judge(run, *out, err);
    if (st == QZ_OK) return QZ_OK;
    qz_model_free(*out);
    *out = NULL;
    return st;
}

/* Matrices of experts in one tensor: what their dimensions are is the family's. */
static bool stacked_codes(const char *dir) {
    qz_st_dir d = {0};
    bool yes = qz_st_dir_open(&d, dir, &(qz_error){0}) != QZ_OK; /* said by whoever opens it */
    for (size_t f = 0; f < d.n_files && !yes; f++)
        for (size_t i = 0; i < d.files[f].n && !yes; i++)
            yes = d.files[f].tensors[i].n_dims > 2 && qz_st_float_type(d.files[f].tensors[i].dtype) == QZ_TYPE_NONE;
    qz_st_dir_release(&d);
    return yes;
}

qz_status qz_artifact_open_codes(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    const qz_scheme_ops *ops = NULL;
    *out = NULL;
    if (!qz_loose_wanted(path) || stacked_codes(path)) return QZ_OK;
    QZ_TRY(find_scheme(path, &ops, err));
    if (!ops) return QZ_OK;
    qz_run by_names = *run;
    by_names.loose = true;
    qz_status st = ops->read(&by_names, path, out, err);
    run->warnings = by_names.warnings;
    return st;
}

static qz_status gguf_tokenizer(const char *path, qz_tokenizer **out, qz_error *err) {
    qz_gguf g;
    QZ_TRY(qz_gguf_open(&g, path, err));
    qz_status st = qz_gguf_vocab_read(&g, true, out, err);
    qz_gguf_release(&g);
    return st;
}

qz_status qz_artifact_tokenizer_by_keys(const char *path, qz_tokenizer **out, bool *pipeline, qz_error *err) {
    qz_gguf g;
    *out = NULL;
    *pipeline = false;
    if (qz_path_is_dir(path)) return QZ_OK;
    QZ_TRY(qz_gguf_open(&g, path, err));
    *pipeline = qz_gguf_key(&g, QZ_GGUF_PIPELINE_KEY) != NULL;
    qz_status st = qz_gguf_vocab_read(&g, false, out, err);
    qz_gguf_release(&g);
    return st;
}

qz_status qz_artifact_tokenizer(const char *path, qz_tokenizer **out, qz_error *err) {
    *out = NULL;
    if (!qz_path_exists(path)) return qz_path_missing(path, err);
    if (!qz_path_is_dir(path)) return gguf_tokenizer(path, out, err);
    char *json = qz_path_join(path, "tokenizer.json");
    if (!json) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    if (qz_path_is_dir(json)) {
        (void)qz_fail(err, QZ_EFORMAT,
                      "not a file: '%s': expected a JSON file, found a folder; put the tokenizer's file there", json);
        qz_free(json);
        return QZ_EFORMAT;
    }
    qz_status st = qz_path_exists(json) ? qz_tokenizer_load(json, out, err) : qz_tokenizer_absent(path, err);
    qz_free(json);
    return st;
}

/* A token beyond the embedding often stands in tokenizer_config.json alone: its name helps to find it. */
qz_status qz_artifact_fits(const qz_model *m, const qz_tokenizer *t, const char *path, qz_error *err) {
    size_t n = qz_tokenizer_vocab_size(t), rows = (size_t)m->config.vocab_size, k = 0, id = rows;
    if (n <= rows) return QZ_OK;
    while (id + 1 < n && !qz_tokenizer_token(t, (uint32_t)id, &k)) id++;
    const char *text = qz_tokenizer_token(t, (uint32_t)id, &k);
    return qz_fail(err, QZ_EFORMAT,
                   "tokenizer does not fit the model: '%s': expected at most %zu tokens, found %zu: token '%.*s' has "
                   "id %zu; remove it from the "
                   "tokenizer's files, or resize the embedding",
                   path, rows, n, (int)qz_min_size(k, 60), text ? text : "", id);
}
