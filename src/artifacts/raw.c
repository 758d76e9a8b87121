#include "artifacts/raw.h"
#include "artifacts/artifacts_int.h"
#include "artifacts/folder.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/kv.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "formats/formats.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define QZ_INCOMPLETE "the checkpoint is incomplete" /* end of every error about a tensor that is not there */
enum { TEXT_SHOWN = 200, STEP = 4096 };

/* ---- GGUF ---- */
static char *scalar(const qz_gguf *g, const qz_gguf_kv *kv, qz_arena *a) {
    qz_error ignored = {0};
    uint64_t u = 0;
    double d = 0;
    bool b = false;
    if (kv->kind == QZ_GGUF_BOOL && qz_gguf_bool(g, kv->key, false, &b, &ignored) == QZ_OK)
        return qz_arena_strdup(a, b ? "true" : "false");
    if ((kv->kind == QZ_GGUF_F32 || kv->kind == QZ_GGUF_F64) && qz_gguf_f64(g, kv->key, false, &d, &ignored) == QZ_OK)
        return isfinite(d) ? qz_arena_printf(a, "%.9g", d) : qz_arena_strdup(a, "null");
    if (qz_gguf_u64(g, kv->key, false, &u, &ignored) == QZ_OK) return qz_arena_printf(a, "%llu", (unsigned long long)u);
    int64_t negative;
    return qz_gguf_i64(kv, &negative) ? qz_arena_printf(a, "%lld", (long long)negative) : qz_arena_strdup(a, "null");
}

/* For a terminal. */
static char *printable(char *t) {
    for (char *c = t; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    return t;
}

static char *value_text(const qz_gguf *g, const qz_gguf_kv *kv, bool *quoted, qz_arena *a) {
    qz_error ignored = {0};
    qz_gguf_text s = {0};
    *quoted = kv->kind == QZ_GGUF_STR || kv->kind == QZ_GGUF_ARR;
    if (kv->kind == QZ_GGUF_ARR)
        return qz_arena_printf(a, "%llu x %s", (unsigned long long)kv->count, qz_gguf_kind_name(kv->elem));
    if (kv->kind != QZ_GGUF_STR) return scalar(g, kv, a);
    if (qz_gguf_str(g, kv->key, false, &s, &ignored) != QZ_OK) return qz_arena_strdup(a, "");
    size_t n = qz_min_size(s.n, TEXT_SHOWN);
    while (n && n < s.n && ((unsigned char)s.ptr[n] & 0xc0) == 0x80) n--; /* whole characters */
    char *t = printable(qz_arena_strndup(a, n ? s.ptr : "", n));
    return t && n < s.n ? qz_arena_printf(a, "%s…", t) : t;
}

/* Bytes of keys and values of one token by the usual keys; 0 if a layer differs or a key is missing. */
static uint64_t kv_bytes(const qz_gguf *g, const char *arch) {
    static const char *const keys[] = { "block_count", "attention.head_count", "attention.head_count_kv",
                                        "embedding_length", "attention.key_length", "attention.value_length" };
    uint64_t v[6] = {0};
    for (size_t i = 0; i < 6; i++) {
        char key[128];
        qz_error ignored = {0};
        snprintf(key, sizeof key, "%.60s.%s", arch, keys[i]);
        const qz_gguf_kv *kv = qz_gguf_key(g, key);
        if (kv &&
            (kv->kind == QZ_GGUF_ARR || qz_gguf_u64(g, key, false, &v[i], &ignored) != QZ_OK || v[i] > (1u << 24)))
            return 0;
    }
    const uint64_t heads = v[2] ? v[2] : v[1], k = v[4] ? v[4] : v[1] ? v[3] / v[1] : 0, w = v[5] ? v[5] : k;
    uint64_t token = 0, all = 0;
    const qz_kv_entry e = {{QZ_KV_F16, QZ_KV_F16}, heads, k, w};
    if (v[0] >= 65536 || heads >= 65536 || k >= 65536 || w >= 65536) return 0;
    return qz_kv_token_bytes(&e, arch, &token, NULL) == QZ_OK && qz_kv_cache_bytes(token, v[0], 1, 1, &all) ? all : 0;
}

/* Files that stand beside a model, by general.type, or by what they hold where it is not said. */
static const char *sidecar(const qz_gguf *g, const char *arch) {
    static const struct { const char *type, *kind; } rows[] = {
        {"adapter", "a LoRA adapter: it needs its base model"}, {"mmproj", "a projector for images or sound (mmproj)"},
        {"mtp", "layers that predict more tokens (mtp)"}, {"vocab", "a vocabulary alone"},
        {"imatrix", "an importance matrix"}};
    qz_gguf_text type = {0};
    (void)qz_gguf_str(g, "general.type", false, &type, &(qz_error){0});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (type.n == strlen(rows[i].type) && memcmp(type.ptr, rows[i].type, type.n) == 0) return rows[i].kind;
    if (strcmp(arch, "clip") == 0) return rows[1].kind;
    return g->n == 0 && qz_gguf_key(g, "tokenizer.ggml.tokens") ? rows[3].kind : NULL;
}

static qz_status from_gguf(const char *path, qz_raw *r, qz_error *err) {
    qz_gguf *g = &r->gguf;
    qz_gguf_text arch = {0};
    qz_error ignored = {0};
    QZ_TRY(qz_gguf_open(g, path, err));
    (void)qz_gguf_str(g, "general.architecture", false, &arch, &ignored);
    r->container = g->version == 2 ? "gguf v2" : "gguf v3";
    if (g->n_more) r->container = qz_arena_printf(&r->arena, "%s in %zu parts", r->container, g->n_more + 1);
    r->architecture = printable(qz_arena_strndup(&r->arena, arch.n ? arch.ptr : "", qz_min_size(arch.n, 60)));
    r->tensors = qz_arena_calloc(&r->arena, g->n + 1, sizeof *r->tensors);
    r->meta = qz_arena_calloc(&r->arena, g->n_kv + 1, sizeof *r->meta);
    if (!r->container || !r->architecture || !r->tensors || !r->meta)
        return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    for (size_t i = 0; i < g->n; i++) {
        const qz_gguf_tensor *t = &g->tensors[i];
        qz_raw_tensor *x = &r->tensors[r->n++];
        *x = (qz_raw_tensor){ .name = t->name, .type = t->type->name, .file = t->file, .n_dims = t->n_dims,
                              .elems = t->elems, .bytes = t->bytes, .offset = t->offset,
                              .data = t->data, .decodes = qz_type_by_ggml_id((int)t->type->id) };
        for (uint32_t d = 0; d < t->n_dims; d++) x->dims[d] = t->dims[t->n_dims - 1 - d];
    }
    for (size_t i = 0; i < g->n_kv; i++) {
        qz_raw_meta *m = &r->meta[r->n_meta++];
        m->key = printable(qz_arena_strdup(&r->arena, g->kv[i].key));
        m->value = value_text(g, &g->kv[i], &m->quoted, &r->arena);
        if (!m->key || !m->value) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    }
    r->file_bytes = g->file_bytes;
    r->kv_bytes = kv_bytes(g, r->architecture);
    r->kind = sidecar(g, r->architecture);
    return QZ_OK;
}

/* ---- safetensors ---- */
static void add_file(qz_raw *r, const qz_st *f) {
    for (size_t i = 0; i < f->n; i++) {
        const qz_st_tensor *t = &f->tensors[i];
        qz_raw_tensor *x = &r->tensors[r->n++];
        *x = (qz_raw_tensor){ .name = t->name, .type = qz_st_dtype_name(t->dtype), .file = f->path, .n_dims = t->n_dims,
                              .elems = t->elems, .bytes = t->bytes,
                              .offset = t->offset, .data = t->data,
                              .decodes = t->dtype == QZ_ST_F32    ? QZ_TYPE_F32
                                         : t->dtype == QZ_ST_F16  ? QZ_TYPE_F16
                                         : t->dtype == QZ_ST_BF16 ? QZ_TYPE_BF16
                                                                  : QZ_TYPE_NONE };
        for (uint32_t d = 0; d < t->n_dims; d++) x->dims[d] = t->dims[d];
    }
    for (size_t i = 0; i < f->n_meta; i++) { /* shards repeat theirs: the first counts */
        bool known = false;
        for (size_t k = 0; k < r->n_meta && !known; k++) known = strcmp(r->meta[k].key, f->meta[i].key) == 0;
        if (!known) r->meta[r->n_meta++] = (qz_raw_meta){ f->meta[i].key, f->meta[i].value, true };
    }
}

static qz_status read_architecture(qz_raw *r, const char *dir, qz_error *err) {
    char *path = qz_path_join(dir, "config.json");
    json_t *root = NULL;
    qz_error ignored = {0};
    r->architecture = "";
    if (path && qz_path_exists(path) && qz_json_load(path, (size_t)16 << 20, &root, &ignored) == QZ_OK) {
        const char *type = json_string_value(json_object_get(root, "model_type"));
        if (type) r->architecture = printable(qz_arena_printf(&r->arena, "%.60s", type));
    }
    json_decref(root);
    bool ok = path && r->architecture;
    qz_free(path);
    return ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
}

static qz_status from_safetensors(const char *path, bool folder, qz_raw *r, qz_error *err) {
    r->container = "safetensors";
    r->architecture = "";
    if (folder) QZ_TRY(qz_st_dir_open(&r->dir, path, err));
    else QZ_TRY(qz_st_open(&r->file, path, err));
    const qz_st *files = folder ? r->dir.files : &r->file;
    size_t n_files = folder ? r->dir.n_files : 1, n = 0, n_meta = 0;
    for (size_t i = 0; i < n_files; i++) n += files[i].n, n_meta += files[i].n_meta;
    r->tensors = qz_arena_calloc(&r->arena, n + 1, sizeof *r->tensors);
    r->meta = qz_arena_calloc(&r->arena, n_meta + 1, sizeof *r->meta);
    if (!r->tensors || !r->meta) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    for (size_t i = 0; i < n_files; i++) add_file(r, &files[i]);
    r->file_bytes = folder ? r->dir.file_bytes : r->file.map.size;
    return folder ? read_architecture(r, path, err) : QZ_OK;
}

qz_status qz_raw_open(const char *path, qz_raw *r, qz_error *err) {
    qz_format f = QZ_FORMAT_COUNT;
    *r = (qz_raw){0};
    bool folder = qz_path_is_dir(path);
    if (!folder) QZ_TRY(qz_format_probe(path, &f, err));
    qz_status st = f == QZ_FORMAT_GGUF ? from_gguf(path, r, err) : from_safetensors(path, folder, r, err);
    for (size_t i = 0; i < r->n && st == QZ_OK; i++)
        r->elems += r->tensors[i].elems, r->tensor_bytes += r->tensors[i].bytes;
    if (st != QZ_OK) qz_raw_release(r);
    return st;
}

void qz_raw_release(qz_raw *r) {
    qz_gguf_release(&r->gguf);
    qz_st_dir_release(&r->dir);
    qz_st_release(&r->file);
    qz_arena_release(&r->arena);
    *r = (qz_raw){0};
}

/* Files of one of our architectures that lack something are at fault; those that were never a model of it are not. */
static bool no_model(const char *path) {
    qz_gguf g;
    qz_error ignored = {0};
    qz_gguf_text arch = {0};
    if (qz_gguf_open(&g, path, &ignored) != QZ_OK) return false;
    (void)qz_gguf_str(&g, "general.architecture", false, &arch, &ignored);
    qz_gguf_text type = { "model", 5 };
    (void)qz_gguf_str(&g, "general.type", false, &type, &ignored); /* adapter, imatrix, mmproj … */
    bool yes = g.n == 0 || arch.n == 0 || type.n != 5 || memcmp(type.ptr, "model", 5) != 0;
    qz_gguf_release(&g);
    return yes;
}

/* A checkpoint whose other files are read without a fault: the weights and the configuration do not fit each other.
 * Folders that announce a quantization are shown if they hold it and lack a tensor; else what they say of themselves is
 * wrong, and they stay refused. */
static bool whole_checkpoint(const char *dir, const qz_error *why) {
    static const char *const names[] = { "config.json", "generation_config.json", "quantize_config.json",
                                         "quant_config.json" };
    qz_error ignored = {0};
    qz_folder_config c;
    qz_tokenizer *t = NULL;
    bool ok = true;
    for (size_t i = 0; i < sizeof names / sizeof *names && ok; i++) {
        json_t *root = NULL;
        char *path = qz_path_join(dir, names[i]);
        ok = path && (!qz_path_exists(path) ||
                      (qz_json_load(path, (size_t)16 << 20, &root, &ignored) == QZ_OK && json_is_object(root)));
        json_decref(root);
        qz_free(path);
    }
    if (!ok || qz_folder_config_load(dir, &c, &ignored) != QZ_OK) return false;
    ok = !c.q || (strstr(why->text, QZ_INCOMPLETE) && qz_folder_holds_codes(dir));
    qz_folder_config_release(&c);
    const qz_status st = ok ? qz_artifact_tokenizer(dir, &t, &ignored) : QZ_OK;
    qz_tokenizer_free(t);
    return ok && (st == QZ_OK || st == QZ_EUNSUPPORTED);
}

bool qz_raw_applies(const char *path, const qz_error *why) {
    qz_format f = QZ_FORMAT_COUNT;
    qz_error ignored = {0};
    if (qz_raw_foreign(path, why)) return true;
    if (why->code == QZ_EUNSUPPORTED) return qz_path_exists(path);
    if (why->code != QZ_EFORMAT && why->code != QZ_EUSAGE) return false;
    if (qz_path_is_dir(path)) return whole_checkpoint(path, why);
    return qz_path_exists(path) && qz_format_probe(path, &f, &ignored) == QZ_OK;
}

/* Settings of a quantization, or codes without them. */
static bool quantized(const char *dir) {
    qz_folder_config c;
    const bool said = qz_folder_config_load(dir, &c, &(qz_error){0}) == QZ_OK && c.q;
    qz_folder_config_release(&c);
    return said || qz_folder_holds_codes(dir);
}

/* A family that is none of ours, or keys of one that nothing here runs; what a quantization_config says is neither. */
static bool config_not_run(const char *config) {
    qz_config c;
    qz_error ignored = {0};
    return !qz_path_exists(config) || qz_config_family(config, &ignored) == QZ_EUNSUPPORTED ||
           qz_config_load(config, &c, &ignored) == QZ_EUNSUPPORTED;
}

bool qz_raw_foreign(const char *path, const qz_error *why) {
    qz_format f = QZ_FORMAT_COUNT;
    qz_error ignored = {0};
    if (!qz_path_exists(path)) return false;
    bool file = !qz_path_is_dir(path);
    if (file && why->code != QZ_EUNSUPPORTED && why->code != QZ_EFORMAT && why->code != QZ_EUSAGE) return false;
    if (file && why->code == QZ_EUNSUPPORTED) return true;
    if (file) return qz_format_probe(path, &f, &ignored) == QZ_OK && (f == QZ_FORMAT_SAFETENSORS || no_model(path));
    char *config = qz_path_join(path, "config.json");
    bool yes = config && (config_not_run(config) || (why->code == QZ_EUNSUPPORTED && !quantized(path)));
    qz_free(config);
    return yes;
}

qz_status qz_raw_refuse(const qz_error *why, const qz_error *container, qz_status st, qz_error *err) {
    const bool bad = container->code == QZ_EFORMAT && why->code != QZ_EUNSUPPORTED && why->code != QZ_EFORMAT;
    return qz_fail(err, bad ? container->code : st, "%s", bad ? container->text : why->text);
}

const char *qz_raw_reason(const qz_raw *r, const qz_error *why) {
    return r->n ? why->text : "no tensors: a vocabulary or metadata alone";
}

void qz_raw_types(const qz_raw *r, qz_str *out) {
    const size_t start = out->len;
    for (size_t i = 0; i < r->n; i++) {
        size_t count = 0;
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++) seen = strcmp(r->tensors[k].type, r->tensors[i].type) == 0;
        for (size_t k = i; k < r->n && !seen; k++) count += strcmp(r->tensors[k].type, r->tensors[i].type) == 0;
        if (!seen) qz_str_printf(out, "%s%zu %s", out->len > start ? ", " : "", count, r->tensors[i].type);
    }
}

const char *qz_raw_shape(const qz_raw_tensor *t, char buf[64]) {
    size_t n = (size_t)snprintf(buf, 64, "[");
    for (uint32_t d = 0; d < t->n_dims && n < 60; d++)
        n += (size_t)snprintf(buf + n, 64 - n, "%s%llu", d ? ", " : "", (unsigned long long)t->dims[d]);
    if (n < 63) (void)snprintf(buf + n, 64 - n, "]");
    return buf;
}

/* A float beside codes that multiplies or divides them. */
static bool is_scale(const char *name) {
    static const char *const endings[] = {".weight_scale", ".weight_scale_inv", ".weight_scale_2", ".k_scale",
                                          ".v_scale", ".input_scale", ".input_global_scale", ".weight_global_scale"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (qz_str_ends(name, endings[i])) return true;
    return false;
}

/* Bytes of small floats that are no number: (byte & mask) == mask. 0: not such a tensor. */
static unsigned nan_mask(const qz_raw_tensor *t) {
    if (strcmp(t->type, "F8_E4M3") == 0) return 0x7f;
    if (strcmp(t->type, "F8_E5M2") == 0) return 0x7c;
    const bool powers = strcmp(t->type, "U8") == 0 && (is_scale(t->name) || qz_str_ends(t->name, "_scales"));
    return powers || strcmp(t->type, "F8_E8M0") == 0 ? 0xff : 0;
}

static bool bytes_sound(const qz_raw_tensor *t, unsigned mask, uint64_t *element) {
    const uint8_t *b = t->data;
    for (*element = 0; *element < t->elems; ++*element)
        if ((b[*element] & mask) == mask) return false;
    return true;
}

static const char *floats_fault(const qz_raw_tensor *t, float *x, uint64_t *element) {
    const qz_type_info *info = qz_type_get(t->decodes);
    const bool scale = info->kind == QZ_KIND_FLOAT && is_scale(t->name);
    for (uint64_t at = 0; at < t->elems; at += STEP) { /* blocks divide STEP */
        const size_t n = (size_t)(t->elems - at < STEP ? t->elems - at : STEP);
        info->decode((const uint8_t *)t->data + at / info->elems * info->bytes, n, x);
        for (size_t k = 0; k < n; k++) {
            *element = at + k;
            if (!isfinite(x[k])) return "not finite";
            if (scale && !(x[k] > 0)) return "a scale that is not above 0";
        }
    }
    return NULL;
}

qz_status qz_raw_values(const qz_raw *r, qz_raw_fault *out, qz_error *err) {
    float *x = qz_alloc_array(STEP, sizeof *x);
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory decoding");
    *out = (qz_raw_fault){.tensor = r->n};
    for (size_t i = 0; i < r->n; i++) {
        const qz_raw_tensor *t = &r->tensors[i];
        const bool decodes = t->decodes < QZ_TYPE_COUNT && qz_type_get(t->decodes)->decode;
        const unsigned mask = nan_mask(t);
        uint64_t element = 0;
        if (!decodes && !mask) continue;
        out->read++;
        if (out->what) continue;
        if (decodes) out->what = floats_fault(t, x, &element);
        else if (!bytes_sound(t, mask, &element)) out->what = "not finite";
        if (out->what) out->tensor = i, out->element = element;
        if (t->data) qz_map_forget(t->data, (size_t)t->bytes);
    }
    qz_free(x);
    return QZ_OK;
}
