/* The files beside the weights of a folder: config.json with quantization_config, its twin, the index of a sharded
 * artifact, and what is carried over from the source (tokenizer, chat template, generation defaults, licence).
 * formats/hf-config.md. */
#include "artifacts/folder_floats.h"
#include "artifacts/gguf_rebuild.h"
#include "artifacts/loose.h"
#include "base/json.h"
#include "base/page.h"
#include "base/plain.h"
#include "base/size.h"
#include "codecs/types.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_LIMIT ((size_t)16 << 20)

/* Shortest decimal form that reads back the same (17 digits print 1e-06 as 9.9999999999999995e-07). */
char *qz_folder_json(const json_t *root) {
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    json_t *back = text ? json_loads(text, 0, NULL) : NULL;
    if (text && !json_equal(back, root)) {
        free(text);
        text = json_dumps(root, JSON_INDENT(2));
    }
    json_decref(back);
    return text;
}

static bool add_name(json_t *list, const char *weight) {
    return json_array_append_new(list, json_stringn(weight, strlen(weight) - strlen(".weight"))) == 0;
}
/* Routers by their whole names: loaders look for the words inside a module's name, and "gate" is in "gate_proj". */
json_t *qz_folder_kept(const qz_artifact_plan *p, bool head) {
    const qz_model *m = p->model;
    if (m->loose) return qz_loose_kept(p, head);
    char name[QZ_SITE_NAME];
    json_t *names = json_array();
    bool ok = names && (!head || json_array_append_new(names, json_string("lm_head")) == 0);
    for (size_t l = 0; ok && l < m->config.layers; l++)
        for (size_t i = 0; ok && i < m->blocks[l].n_sites; i++) {
            const qz_site *s = &m->blocks[l].sites[i].site;
            if ((s->kind == QZ_SITE_ROUTER || s->module) && qz_site_name(s, l, 0, "weight", name, sizeof name))
                ok = add_name(names, name);
        }
    for (size_t i = 0; ok && i < p->n_items; i++) /* carried matrices are linears of their module */
        if (p->items[i].raw && p->items[i].n_dims == 2 && qz_str_ends(p->items[i].name, ".weight"))
            ok = add_name(names, p->items[i].name);
    for (size_t i = 0; ok && i < p->n_items; i++)
        if (p->items[i].linear >= 0 && p->items[i].type != QZ_TYPE_CODED && (p->spec.n_modules || p->items[i].note))
            ok = add_name(names, p->items[i].out_name);
    if (ok) return names;
    json_decref(names);
    return NULL;
}

static bool fill_config(json_t *root, const qz_artifact_plan *p) {
    const qz_folder_plan_state *fp = p->impl;
    const qz_rope *r = &p->model->config.rope;
    json_t *q = fp->kind->quantization(p);
    bool ok = q && json_object_set_new(root, "quantization_config", q) == 0;
    /* what codes stand for is rounded to that type, so a reader has to know it */
    const qz_type said = p->model->config.dtype, own = said == QZ_TYPE_NONE ? qz_folder_values_type(p->model, false)
                                                                             : said;
    if (fp->kind->keeps_dtype && !json_object_get(root, "torch_dtype") && !json_object_get(root, "dtype"))
        ok = ok && json_object_set_new(root, "torch_dtype", json_string(qz_folder_dtype_name(own))) == 0;
    if (!fp->kind->keeps_dtype) {
        ok = ok && json_object_set_new(root, "torch_dtype", json_string("float16")) == 0;
        if (json_object_get(root, "dtype")) ok = ok && json_object_set_new(root, "dtype", json_string("float16")) == 0;
    }
    if (p->model->loose) return ok; /* of such a family nothing else is known */
    static const char *const heads[] = {"mtp_num_hidden_layers", "num_nextn_predict_layers"};
    for (size_t i = 0; i < 2 && p->spec.no_mtp; i++)
        if (json_object_get(root, heads[i])) ok = ok && json_object_set_new(root, heads[i], json_integer(0)) == 0;
    /* engines that tie would drop the stored head */
    if (p->model->head_untied) ok = ok && json_object_set_new(root, "tie_word_embeddings", json_false()) == 0;
    /* Runtimes of the 4.x generation read the old spelling only: without it they would silently take their
     * default base. */
    json_t *rope = json_object_get(root, "rope_parameters");
    if (rope && !json_object_get(root, "rope_theta"))
        ok = ok && json_object_set_new(root, "rope_theta", json_real(r->theta)) == 0;
    if (rope && r->kind != QZ_ROPE_NONE && !json_is_object(json_object_get(root, "rope_scaling")))
        ok = ok && json_object_set_new(root, "rope_scaling", json_deep_copy(rope)) == 0;
    return ok;
}

/* Appends a file with the text of `root` (borrowed; NULL = out of memory) to the plan. */
static qz_status add_json(qz_artifact_plan *p, const char *name, const json_t *root, qz_arena *arena, qz_error *err) {
    char *s = root ? qz_folder_json(root) : NULL;
    char *copy = s ? qz_arena_printf(arena, "%s\n", s) : NULL;
    free(s);
    if (!copy) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    p->files[p->n_files++] = (qz_artifact_file){ .name = name, .bytes = strlen(copy), .text = copy };
    return QZ_OK;
}

/* --config-dir: a configuration of another model would make a folder that does not load. */
static qz_status config_fits(const qz_artifact_plan *p, const json_t *root, const char *dir, qz_error *err) {
    const qz_config *m = &p->model->config;
    qz_config c = {0};
    if (strcmp(dir, p->model->path) == 0) return QZ_OK;
    QZ_TRY(qz_config_from_json(root, dir, &c, err));
    /* one architecture of GGUF may be several families */
    const qz_family_info *ours = qz_family_get(m->family), *theirs = qz_family_get(c.family);
    const char *arch = ours->gguf_arch ? ours->gguf_arch : ours->name,
               *other = theirs->gguf_arch ? theirs->gguf_arch : theirs->name;
    if (strcmp(arch, other) != 0)
        return qz_fail(err, QZ_EUSAGE,
                       "configuration of another model: folder '%s', architecture: expected %s as in '%s', found %s; "
                       "give the folder that it was made from",
                       dir, arch, p->model->path, other);
    const struct { const char *name; uint64_t model, file; } rows[] = {
        {"hidden_size", m->hidden_size, c.hidden_size},
        {"num_hidden_layers", m->layers, c.layers}, {"num_attention_heads", m->heads, c.heads},
        {"num_key_value_heads", m->kv_heads, c.kv_heads}, {"head_dim", m->head_dim, c.head_dim},
        {"intermediate_size", m->intermediate_size, c.intermediate_size}, {"vocab_size", m->vocab_size, c.vocab_size},
        {"experts", m->experts, c.experts}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].model != rows[i].file)
            return qz_fail(err, QZ_EUSAGE,
                           "configuration of another model: folder '%s', %s: expected %llu as in '%s', found %llu; "
                           "give the folder that it was made from",
                           dir, rows[i].name, (unsigned long long)rows[i].model, p->model->path,
                           (unsigned long long)rows[i].file);
    return QZ_OK;
}

/* Of a wrapper the folder holds the text model, under the names that it has by itself. */
static qz_status text_alone(qz_artifact_plan *p, json_t **root, qz_arena *arena, qz_error *err) {
    bool wrapped;
    if (p->model->loose) return QZ_OK;
    json_t *text = qz_config_text(*root, &wrapped);
    json_decref(*root);
    *root = text;
    if (text == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    return wrapped ? qz_plan_note(p, arena, err,
                                  "the text model alone is kept: config.json is its own (model_type '%s')",
                                  json_string_value(json_object_get(text, "model_type")))
                   : QZ_OK;
}

static qz_status add_config(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    const qz_folder_plan_state *fp = p->impl;
    const char *dir = p->context->source_dir;
    char *path = dir ? qz_path_join(dir, "config.json") : NULL;
    const bool rebuilt = !dir && qz_gguf_of(p->model);
    if (!rebuilt && (!path || !qz_path_exists(path))) {
        qz_free(path);
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "no config.json to carry over: source '%s'; %s folder is made from a Hugging Face checkpoint%s",
                       dir ? dir : p->model->path, fp->kind->name,
                       qz_gguf_of(p->model) ? ": give its folder with --config-dir" : "");
    }
    json_t *root = NULL;
    qz_status st = rebuilt ? qz_gguf_rebuild_config(p->model, &root, err)
                           : qz_json_load(path, CONFIG_LIMIT, &root, err);
    qz_free(path);
    QZ_TRY(st);
    QZ_TRY(text_alone(p, &root, arena, err));
    if (!rebuilt) st = config_fits(p, root, dir, err);
    if (st == QZ_OK) st = add_json(p, "config.json", fill_config(root, p) ? root : NULL, arena, err);
    if (st == QZ_OK && fp->kind->twin) {
        json_t *own = fp->kind->twin_text ? fp->kind->twin_text(p) : NULL;
        const json_t *repeated = fp->kind->twin_text ? NULL : json_object_get(root, "quantization_config");
        st = add_json(p, fp->kind->twin, own ? own : repeated, arena, err);
        json_decref(own);
    }
    json_decref(root);
    return st;
}

static qz_status index_text(const qz_artifact_plan *p, qz_arena *arena, const char **text, size_t *n, qz_error *err) {
    const qz_folder_plan_state *fp = p->impl;
    qz_str s = {0};
    uint64_t total = 0, bytes = 0;
    for (size_t i = 0; i < fp->first[fp->n_shards]; i++) {
        QZ_TRY(qz_st_item_bytes(&fp->parts[i], &bytes, err));
        total += bytes;
    }
    qz_str_printf(&s, "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {",
                  (unsigned long long)total);
    for (size_t f = 0; f < fp->n_shards; f++)
        for (size_t i = fp->first[f]; i < fp->first[f + 1]; i++) {
            qz_str_puts(&s, i ? ",\n    " : "\n    ");
            qz_json_quote(&s, fp->parts[i].name, strlen(fp->parts[i].name));
            qz_str_printf(&s, ": \"%s\"", p->files[f].name);
        }
    qz_str_puts(&s, "\n  }\n}\n");
    char *copy = s.failed ? NULL : qz_arena_strndup(arena, s.ptr, s.len);
    *text = copy;
    *n = s.len;
    qz_str_release(&s);
    return copy ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
}

static bool starts_with_any(const char *name, const char *const *prefixes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (qz_str_starts(name, prefixes[i])) return true;
    return false;
}
/* These may well be pages of HTML. */
static bool legal(const char *name) {
    static const char *const prefixes[] = { "LICENSE", "LICENCE", "NOTICE", "USE_POLICY" };
    return starts_with_any(name, prefixes, sizeof prefixes / sizeof *prefixes);
}
/* Of a family that is not known, whatever is no weights: processors of images, vocabularies, code (not run here). */
static bool carried_loosely(const char *name) {
    static const char *const ends[] = { ".json", ".jsonl", ".txt", ".model", ".tiktoken", ".jinja", ".py" };
    static const char *const own[] = { "config.json", "quantize_config.json", "quant_config.json",
                                       "quantz-manifest.json" };
    bool yes = false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) yes |= qz_str_ends(name, ends[i]);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) yes = yes && strcmp(name, own[i]) != 0;
    return yes && !qz_str_ends(name, ".index.json");
}
static bool carried(const char *name) {
    static const char *const prefixes[] = { "tokenizer", "chat_template" };
    static const char *const names[] = { "vocab.json", "vocab.txt", "merges.txt", "special_tokens_map.json",
                                         "added_tokens.json", "generation_config.json" };
    if (legal(name) || starts_with_any(name, prefixes, sizeof prefixes / sizeof *prefixes)) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* Copies are not read by anything here, so that a pointer or a saved error page would be handed on as if it
 * were the file. */
static qz_status check_carried(const char *path, qz_error *err) {
    qz_map m;
    const char *cure = NULL;
    QZ_TRY(qz_map_open(&m, path, err));
    const char *name = qz_magic_name((const char *)m.ptr, qz_min_size(m.size, 512), &cure);
    const bool pointer = name && strcmp(name, QZ_MAGIC_LFS) == 0,
               page = !legal(qz_path_base(path)) && qz_is_document(m.ptr, m.size);
    qz_map_release(&m);
    if (!pointer && !page) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT,
                   "wrong content: file '%s', offset 0: expected a file to carry over, found %s; %s, or remove it",
                   path, pointer ? name : QZ_PAGE_NAME, pointer ? cure : QZ_PAGE_CURE);
}

static qz_status add_carried(qz_artifact_plan *p, const char *dir, char **names, size_t n, qz_arena *arena,
                             qz_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (!carried(names[i]) && !(p->model->loose && carried_loosely(names[i]))) continue;
        char *from = qz_arena_printf(arena, "%s/%s", dir, names[i]), *name = qz_arena_strdup(arena, names[i]);
        if (!from || !name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
        if (qz_path_is_dir(from)) continue;
        uint64_t bytes = 0;
        QZ_TRY(check_carried(from, err));
        QZ_TRY(qz_file_size(from, &bytes, err));
        p->files[p->n_files++] = (qz_artifact_file){ .name = name, .bytes = bytes, .copy_from = from };
    }
    return QZ_OK;
}

qz_status qz_folder_add_files(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    char **names = NULL;
    size_t n = 0, len = 0;
    const char *text = NULL;
    if (((const qz_folder_plan_state *)p->impl)->n_shards > 1) {
        QZ_TRY(index_text(p, arena, &text, &len, err));
        p->files[p->n_files++] = (qz_artifact_file){ .name = "model.safetensors.index.json", .bytes = len,
                                                     .text = text };
    }
    const char *dir = p->context->source_dir;
    QZ_TRY(add_config(p, arena, err));
    if (dir) QZ_TRY(qz_list_dir(dir, &names, &n, err));
    qz_artifact_file *room = qz_arena_alloc(arena, p->n_files + n + QZ_REBUILT_FILES, sizeof *room);
    qz_status st = room ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    if (st == QZ_OK) {
        memcpy(room, p->files, p->n_files * sizeof *room);
        p->files = room;
        st = dir ? add_carried(p, dir, names, n, arena, err) : qz_gguf_rebuild_files(p, arena, err);
    }
    qz_free_names(names, n);
    return st;
}
