#include "artifacts/adapter.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "deploy/check_job.h"
#include "artifacts/provenance.h"
#include "text/accepted.h"
#include "text/chat.h"
#include <string.h>
#include <strings.h>

enum { TWIN_LIMIT = 16 << 20, INDEX_LIMIT = 64 << 20 };

/* A JSON file of the folder; NULL when absent or unreadable (then `code` is reported). */
static json_t *load_beside(qz_check_job *j, const char *name, size_t limit, const char *code) {
    char *path = qz_path_join(j->path, name);
    json_t *root = NULL;
    qz_error e = {0};
    if (path && qz_path_exists(path) && qz_json_load(path, limit, &root, &e) != QZ_OK)
        qz_check_add(&j->f, code, name, "cannot be read: %s", e.text);
    qz_free(path);
    return root;
}
static bool exists_beside(const qz_check_job *j, const char *name) {
    char *path = qz_path_join(j->path, name);
    bool yes = path && qz_path_exists(path);
    qz_free(path);
    return yes;
}

/* ---- index ---- */
static void check_index(qz_check_job *j) {
    json_t *root = load_beside(j, "model.safetensors.index.json", INDEX_LIMIT, "CHK-INDEX"), *v;
    const json_t *map = json_object_get(root, "weight_map");
    const char *key, *last = "";
    size_t missing = 0;
    char first[128] = "";
    if (root && !json_is_object(map)) qz_check_add(&j->f, "CHK-INDEX", "model.safetensors.index.json", "no weight_map");
    json_object_foreach((json_t *)(uintptr_t)map, key, v) {
        const char *file = json_string_value(v);
        if (file == NULL || strchr(file, '/') || strcmp(file, last) == 0) continue;
        last = file;
        if (exists_beside(j, file)) continue;
        if (missing++ == 0) (void)snprintf(first, sizeof first, "%.120s", file);
    }
    if (missing) qz_check_add(&j->f, "CHK-INDEX", first, "the index names it and it is not there");
    json_decref(root);
}

/* ---- tokenizer ---- */
static bool chat_tokens(const qz_tokenizer *t) {
    static const char *const marks[] = {"<|im_start|>", "<|start_header_id|>", "<start_of_turn>", "<|user|>", "[INST]",
                                        "<|assistant|>"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (qz_tokenizer_id(t, marks[i], strlen(marks[i])) >= 0) return true;
    return false;
}
static bool named_chat(const qz_check_job *j) {
    const char *names[] = {qz_path_base(j->path), json_string_value(json_object_get(j->root, "_name_or_path"))};
    for (size_t i = 0; i < 2; i++)
        if (names[i] &&
            (strcasestr(names[i], "instruct") || strcasestr(names[i], "chat") || qz_str_ends(names[i], "-it")))
            return true;
    return false;
}

static void check_template(qz_check_job *j) {
    static const char probe[] = "Zebra 42";
    if (qz_tokenizer_chat_template(j->tokenizer) == NULL) {
        if (named_chat(j) || (j->facts.gguf && chat_tokens(j->tokenizer) && strcasestr(j->path, "instruct")))
            qz_check_add(&j->f, "CHK-TEMPLATE", "tokenizer_config.json",
                         "a chat model by its name, without a chat template");
        return;
    }
    json_t *messages = json_pack("[{s:s,s:s}]", "role", "user", "content", probe);
    qz_str out = {0};
    qz_error e = {0};
    qz_status st = messages ? qz_chat_apply(j->tokenizer,
                                            &(qz_conversation){.messages = messages, .add_generation_prompt = true},
                                            &out, &e)
                            : QZ_OK;
    if (st != QZ_OK && st != QZ_EMEMORY)
        qz_check_add(&j->f, "CHK-TEMPLATE", "chat_template", "a question cannot be rendered: %s", e.text);
    else if (st == QZ_OK && messages && (out.ptr == NULL || strstr(out.ptr, probe) == NULL))
        qz_check_add(&j->f, "CHK-TEMPLATE", "chat_template", "the user's words are not in the rendered prompt");
    qz_str_release(&out);
    json_decref(messages);
}

static void id_in_range(qz_check_job *j, const char *what, const char *file, int64_t id) {
    if (j->shape && id >= (int64_t)j->shape->vocab)
        qz_check_add(&j->f, "CHK-IDS", file, "%s %lld, the embedding has %llu rows", what, (long long)id,
                     (unsigned long long)j->shape->vocab);
}
static size_t ids_of(const json_t *root, const char *key, int64_t out[16]) {
    const json_t *v = json_object_get(root, key);
    size_t n = 0;
    if (json_is_integer(v)) out[n++] = json_integer_value(v);
    for (size_t i = 0; i < json_array_size(v) && n < 16; i++)
        if (json_is_integer(json_array_get(v, i))) out[n++] = json_integer_value(json_array_get(v, i));
    return n;
}
static void check_ids(qz_check_job *j) {
    static const char *const keys[] = {"bos_token_id", "eos_token_id", "pad_token_id"};
    json_t *gen = j->folder ? load_beside(j, "generation_config.json", TWIN_LIMIT, "CHK-IDS") : NULL;
    int64_t a[16], b[16];
    for (size_t k = 0; k < 3; k++) {
        size_t n = ids_of(j->root, keys[k], a), m = ids_of(gen, keys[k], b);
        for (size_t i = 0; i < n; i++) id_in_range(j, keys[k], "config.json", a[i]);
        for (size_t i = 0; i < m; i++) id_in_range(j, keys[k], "generation_config.json", b[i]);
        if (k != 1 || n == 0 || m == 0) continue;
        bool shared = false;
        for (size_t i = 0; i < n * m; i++) shared |= a[i / m] == b[i % m];
        if (!shared)
            qz_check_add(&j->f, "CHK-IDS", "generation_config.json", "eos_token_id %lld, config.json says %lld",
                         (long long)b[0], (long long)a[0]);
    }
    json_decref(gen);
}

static qz_status check_tokenizer(qz_check_job *j, qz_error *err) {
    qz_error e = {0};
    if (!j->folder && !j->gguf) return QZ_OK;
    qz_status st = qz_artifact_tokenizer(j->path, &j->tokenizer, &e);
    if (st == QZ_EMEMORY) return qz_fail(err, st, "%s", e.text);
    if (st != QZ_OK) {
        if (!j->folder || exists_beside(j, "tokenizer.json"))
            qz_check_add(&j->f, "CHK-TOKENIZER", "tokenizer.json", "cannot be read: %s", e.text);
        else if (j->weight_files) qz_check_add(&j->f, "CHK-NOTOK", "tokenizer.json", "%s", e.text);
        return QZ_OK;
    }
    if (j->tokenizer == NULL) {
        if (j->facts.provenance == false && j->weight_files && j->spec.kind != QZ_DEPLOY_FLOAT)
            qz_check_add(&j->f, "CHK-NOTOK", "tokenizer.json", "no tokenizer files");
        return QZ_OK;
    }
    size_t n = qz_tokenizer_vocab_size(j->tokenizer);
    if (j->shape && n > j->shape->vocab)
        qz_check_add(&j->f, "CHK-TOKENIZER", "tokenizer.json", "ids up to %zu, the embedding has %llu rows", n - 1,
                     (unsigned long long)j->shape->vocab);
    check_template(j);
    return QZ_OK;
}

/* ---- configuration against its twins ---- */
static void twin(qz_check_job *j, const char *name) {
    json_t *root = load_beside(j, name, TWIN_LIMIT, "CHK-CONFIG");
    qz_deploy_spec t;
    qz_error e = {0};
    char a[96], b[96];
    if (root == NULL) return;
    if (qz_deploy_spec_object(root, name, &t, &e) != QZ_OK) qz_check_add(&j->f, "CHK-CONFIG", name, "%s", e.text);
    else if (j->spec.kind == QZ_DEPLOY_FLOAT)
        qz_check_add(&j->f, "CHK-CONFIG", name, "it describes %s, config.json has no quantization_config",
                     qz_deploy_spec_text(&t, a));
    else if (t.kind != j->spec.kind || t.bits != j->spec.bits || t.group_size != j->spec.group_size ||
             t.sym != j->spec.sym || t.act_order != j->spec.act_order)
        qz_check_add(&j->f, "CHK-CONFIG", name, "it says %s, config.json says %s", qz_deploy_spec_text(&t, a),
                     qz_deploy_spec_text(&j->spec, b));
    json_decref(root);
}

static void check_config(qz_check_job *j) {
    const char *a = json_string_value(json_object_get(j->root, "dtype")),
               *b = json_string_value(json_object_get(j->root, "torch_dtype"));
    const char *arch = json_string_value(json_array_get(json_object_get(j->root, "architectures"), 0));
    if (a && b && strcmp(a, b) != 0)
        qz_check_add(&j->f, "CHK-CONFIG", "config.json", "dtype '%s', torch_dtype '%s'", a, b);
    if (arch && j->shape && j->shape->runs && strcmp(arch, qz_family_get(j->shape->config.family)->architecture) != 0)
        qz_check_add(&j->f, "CHK-CONFIG", "config.json", "architectures '%s', model_type '%s'", arch,
                     j->shape->model_type);
    if (!j->folder) return;
    twin(j, "quantize_config.json");
    twin(j, "quant_config.json");
}

/* ---- manifest: sizes always, hashes unless --quick ---- */
static void check_sizes(qz_check_job *j) {
    const json_t *files = json_object_get(j->manifest, "files");
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *e = json_array_get(files, i), *bytes = json_object_get(e, "bytes");
        const char *name = json_string_value(json_object_get(e, "name"));
        uint64_t size = 0;
        if (name == NULL || strchr(name, '/') || !json_is_integer(bytes)) continue;
        char *path = j->folder ? qz_path_join(j->path, name) : qz_strdup(j->path);
        if (path && !qz_path_exists(path))
            qz_check_add(&j->f, "CHK-HASH", name, "the manifest lists it and it is not there");
        else if (path && qz_file_size(path, &size, &(qz_error){0}) == QZ_OK &&
                 size != (uint64_t)json_integer_value(bytes))
            qz_check_add(&j->f, "CHK-HASH", name, "%llu bytes, the manifest says %lld", (unsigned long long)size,
                         (long long)json_integer_value(bytes));
        qz_free(path);
    }
}

static qz_status check_hashes(qz_check_job *j, qz_error *err) {
    qz_table t = {0};
    QZ_TRY(qz_artifact_verify_hashes(j->path, &j->arena, &t, err));
    for (size_t i = 0; i < t.n_rows; i++)
        if (strcmp(qz_table_cell(&t, i, 1), "FAILED") == 0)
            qz_check_add(&j->f, "CHK-HASH", qz_table_cell(&t, i, 0), "%s", qz_table_cell(&t, i, 2));
    return QZ_OK;
}

static qz_status deep_verify(qz_check_job *j, qz_error *err) {
    qz_table t = {0};
    qz_error e = {0};
    qz_status st = qz_artifact_verify(j->run, j->path, &j->arena, &t, &e);
    if (st != QZ_OK && st != QZ_ECHECK && st != QZ_EUNSUPPORTED) return qz_fail(err, st, "%s", e.text);
    for (size_t i = 0; i < t.n_rows; i++) {
        const char *what = qz_table_cell(&t, i, 0);
        /* structure and settings are reported on opening */
        if (strcmp(qz_table_cell(&t, i, 1), "FAILED") != 0 || strcmp(what, "structure") == 0 ||
            strcmp(what, "settings") == 0)
            continue;
        const bool values = strcmp(what, "decode") == 0 || strcmp(what, "codes") == 0;
        qz_check_add(&j->f, values ? "CHK-NONFINITE" : "CHK-HASH", what, "%s",
                     qz_table_cell(&t, i, 2));
    }
    return QZ_OK;
}

/* ---- what was let pass when it was calibrated ---- */
static void check_accepted(qz_check_job *j) {
    const char *list = qz_accepted_in(j->path, &j->arena);
    for (qz_accepted x; qz_accepted_next(&list, &x);)
        qz_check_add(&j->f, "CHK-ACCEPTED", "calibration", "accepted with %s: %s", x.code, x.finding);
}

/* ---- adapter ---- */
/* Its products against the linears of the shape, by name: a width that differs is another model's adapter. */
static void adapter_fits(qz_check_job *j) {
    qz_adapter a = {0};
    qz_error e = {0};
    bool turned;
    char *weights = qz_path_join(j->o.lora, "adapter_model.safetensors");
    const bool there = weights && qz_path_exists(weights);
    qz_free(weights);
    if (!there) return; /* what its configuration says alone */
    if (qz_adapter_open(j->o.lora, &a, &e) != QZ_OK) {
        qz_check_add(&j->f, "CHK-OPEN", j->o.lora, "%s", e.text);
        return;
    }
    for (size_t i = 0; i < a.n && j->shape; i++) {
        char name[QZ_ST_MAX_NAME + 1];
        for (size_t s = 0; qz_adapter_spelling(a.parts[i].target, s, name, sizeof name); s++)
            for (size_t k = 0; k < j->shape->n_tensors; k++) {
                const qz_shape_tensor *t = &j->shape->tensors[k];
                if (strcmp(t->name, name) != 0 || a.parts[i].a == NULL) continue;
                if (qz_adapter_fits(&a, &a.parts[i], t->rows, t->cols, &turned, &e) == QZ_OK) continue;
                qz_check_add(&j->f, "CHK-OPEN", name, "%s", e.text);
                qz_adapter_release(&a);
                return;
            }
    }
    qz_adapter_release(&a);
}

static void check_adapter(qz_check_job *j) {
    const qz_deploy_spec *served = j->has_wanted ? &j->wanted : &j->spec;
    char *path = j->o.lora   ? qz_path_join(j->o.lora, "adapter_config.json")
                 : j->folder ? qz_path_join(j->path, "adapter_config.json")
                             : NULL;
    json_t *root = NULL;
    qz_error e = {0};
    if (path && qz_path_exists(path) && served->kind != QZ_DEPLOY_FLOAT) {
        if (qz_json_load(path, TWIN_LIMIT, &root, &e) != QZ_OK)
            qz_check_add(&j->f, "CHK-LORA", "adapter_config.json", "cannot be read: %s", e.text);
        else j->facts.adapter = json_is_string(json_object_get(root, "base_quantization")) ? 1 : 2;
        j->target.lora = true;
        json_decref(root);
    }
    qz_free(path);
    if (j->o.lora) adapter_fits(j);
}

qz_status qz_check_files(qz_check_job *j, qz_error *err) {
    const json_t *q = json_object_get(j->root, "quantization_config");
    if (json_object_get(json_object_get(q, "meta"), "quantizer")) j->facts.provenance = true;
    const json_t *blocks = json_object_get(j->manifest, "block_errors");
    j->facts.block_report = json_is_object(blocks);
    j->facts.blocks = json_number_value(json_object_get(blocks, "blocks"));
    j->facts.blocks_lost = json_number_value(json_object_get(blocks, "lost"));
    if (j->folder) check_index(j);
    if (j->root) check_config(j);
    QZ_TRY(check_tokenizer(j, err));
    if (j->root) check_ids(j);
    const size_t before = j->f.n;
    if (j->manifest) check_sizes(j);
    const bool whole = j->f.n == before; /* a file of another size needs no hash */
    if (j->manifest && whole && !j->o.deep && !j->o.quick) QZ_TRY(check_hashes(j, err));
    check_accepted(j);
    check_adapter(j);
    if (j->o.deep && (j->weight_files || j->gguf)) QZ_TRY(deep_verify(j, err));
    return j->f.failed ? qz_fail(err, QZ_EMEMORY, "out of memory checking '%s'", j->path) : QZ_OK;
}
