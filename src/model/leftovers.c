#include "model/leftovers.h"
#include "base/size.h"
#include "codecs/types.h"
#include "model/config_wide.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 3 };

static const struct { const char *suffix; qz_left_kind kind; } buffers[] = {
#define QZ_BUFFER(suffix) {suffix, QZ_LEFT_BUFFER},
#define QZ_CACHE_SCALE(suffix) {suffix, QZ_LEFT_CACHE},
#include "model/buffers.def"
#undef QZ_BUFFER
#undef QZ_CACHE_SCALE
};

/* QZ_LEFT_PART: no buffer of any name. */
static qz_left_kind buffer_of(const char *name) {
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        const size_t k = strlen(buffers[i].suffix);
        if (k > n || strcmp(name + n - k, buffers[i].suffix) != 0) continue;
        if (k == n || name[n - k - 1] == '.' || name[n - k - 1] == '_') return buffers[i].kind;
    }
    return QZ_LEFT_PART;
}

/* Decoder layer that a name stands in, -1 outside. */
static long layer_of(const char *name) {
    static const char prefix[] = "model.layers.";
    const char *p = name + sizeof prefix - 1;
    if (!qz_str_starts(name, prefix) || !isdigit((unsigned char)*p)) return -1;
    char *end;
    const long l = strtol(p, &end, 10);
    return *end == '.' ? l : -1;
}

/* What in a configuration makes a model use such a tensor; NULL if nothing that is known. */
static const char *key_of(const qz_model *m, const char *name) {
    const qz_config *c = &m->config;
    const qz_family_info *f = qz_family_get(c->family);
    const bool own = f->attention_bias_key;
    if (layer_of(name) >= (long)c->layers) return "num_hidden_layers";
    if (strcmp(name, "lm_head.weight") == 0) return "tie_word_embeddings false and the head's type and rows";
    if (strstr(name, "experts.") || strstr(name, "_exps.") || strstr(name, "block_sparse_moe.") ||
        qz_str_ends(name, "mlp.gate.weight"))
        return c->experts == 0 ? "num_experts or num_local_experts (of a mixture-of-experts model_type)"
               : strcmp(c->experts_key, "num_experts") == 0 ? "a larger num_experts"
                                                            : "a larger num_local_experts";
    if (qz_str_ends(name, "_norm.weight") && strstr(name, "self_attn.")) return "model_type qwen3";
    if (!qz_str_ends(name, ".bias")) return NULL;
    if (strstr(name, ".self_attn.")) return own ? "attention_bias" : "attention_bias (of model_type llama)";
    if (strstr(name, ".mlp.")) return f->mlp_bias_key ? "mlp_bias" : "mlp_bias (of model_type llama)";
    return NULL;
}

/* The tensor that holds what `name` would: the fused matrix or its first part, or the same name without a
 * wrapper's prefix. */
static const char *twin_of(const qz_model *m, const char *name) {
    static const char *const prefixes[] = {"model.language_model.", "language_model.model.", "language_model."};
    qz_site s;
    char plain[QZ_SITE_NAME + 32];
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (!qz_str_starts(name, prefixes[i])) continue;
        (void)snprintf(plain, sizeof plain, "%s%s", strstr(name, "lm_head") ? "" : "model.",
                       name + strlen(prefixes[i]) +
                           (i == 2 && strncmp(name + strlen(prefixes[i]), "model.", 6) == 0 ? 6 : 0));
        const qz_tensor_view *t = qz_model_find(m, plain);
        return t ? t->file_name : NULL;
    }
    const long l = layer_of(name);
    if (l < 0 || l >= (long)m->config.layers) return NULL;
    const char *inner = strchr(name + strlen("model.layers."), '.') + 1;
    const qz_block *blk = &m->blocks[l];
    for (size_t i = 0; qz_site_known(i, &s); i++) {
        const size_t n = strlen(s.hf);
        if (s.kind != QZ_SITE_LINEAR && s.kind != QZ_SITE_FUSED) continue;
        if (strncmp(inner, s.hf, n) != 0 || strcmp(inner + n, ".weight") != 0) continue;
        return blk->linear[s.part] ? blk->linear[s.part]->file_name : NULL;
    }
    return NULL;
}

qz_status qz_model_leave(qz_model *m, const qz_leftover *t, qz_error *err) {
    if ((m->n_left & (m->n_left + 1)) == 0) { /* full at 0, 1, 3, 7, …: room for twice as many */
        qz_leftover *more = qz_arena_alloc(&m->arena, 2 * m->n_left + 1, sizeof *more);
        if (more == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
        if (m->n_left) memcpy(more, m->left, m->n_left * sizeof *more);
        m->left = more;
    }
    m->left[m->n_left++] = *t;
    return QZ_OK;
}

static bool all_zero(const qz_tensor_view *t) {
    float x[256];
    if (t->rows != 1 || t->data == NULL || t->type >= QZ_TYPE_COUNT || qz_type_get(t->type)->kind != QZ_KIND_FLOAT)
        return false;
    qz_tensor_view part = *t;
    const size_t bytes = qz_type_get(t->type)->bytes;
    for (size_t k = 0; k < t->cols; k += 256) {
        part.cols = qz_min_size(256, t->cols - k);
        part.data = (const uint8_t *)t->data + k * bytes;
        qz_tensor_decode(&part, 0, 1, x);
        for (size_t i = 0; i < part.cols; i++)
            if (x[i] != 0) return false;
    }
    return true;
}

/* Of what predicts tokens beyond the next: layers behind the last, or a module of its own. */
static bool is_mtp(const qz_model *m, const char *name) {
    const long layers = (long)m->config.layers, /* blk.: GGUF's name that no layer of the family knows */
               block = qz_str_starts(name, "blk.") ? strtol(name + 4, NULL, 10) : layer_of(name);
    return qz_family_get(m->config.family)->mtp && (block >= layers || qz_str_starts(name, "mtp."));
}

/* Of the parts of a wrapper that look or listen. */
static bool of_other_part(const qz_model *m, const char *name) {
    return m->config.wrapped && !qz_str_starts(name, "model.layers.") && !qz_str_starts(name, "lm_head.") &&
           (strstr(name, "visual.") || strstr(name, "vision") || strstr(name, "audio") ||
            strstr(name, "multi_modal_projector"));
}

/* What a layer that borrows keys would make its own of. */
static bool is_borrowed(const qz_model *m, const char *name) {
    static const char *const parts[] = {".self_attn.k_proj.", ".self_attn.v_proj.", ".self_attn.k_norm.",
                                        ".self_attn.v_norm."};
    const long l = layer_of(name);
    if (l < 0 || l >= (long)m->config.layers || qz_config_key_layer(&m->config, (size_t)l) == (size_t)l) return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i])) return true;
    return false;
}

static qz_left_kind kind_of(const qz_model *m, const qz_tensor_view *t) {
    if (is_borrowed(m, t->name)) return QZ_LEFT_BORROWED;
    if (is_mtp(m, t->name)) return QZ_LEFT_MTP;
    if (of_other_part(m, t->name)) return QZ_LEFT_OTHER;
    if (buffer_of(t->name) != QZ_LEFT_PART) return buffer_of(t->name);
    /* binding takes a head of its own values; one that fits and was not taken equals the embedding */
    if (strcmp(t->name, "lm_head.weight") == 0 && m->config.tie_embeddings && t->rows == m->embed->rows &&
        t->cols == m->embed->cols)
        return QZ_LEFT_TWIN;
    return qz_str_ends(t->name, ".bias") && all_zero(t) ? QZ_LEFT_ZEROS : QZ_LEFT_PART;
}

qz_status qz_leftovers_collect(qz_model *m, const uint8_t *claimed, qz_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < m->n_left; i++) { /* registered by the reader: never a float view */
        const char *name = m->left[i].name;
        m->left[i].kind = is_borrowed(m, name)     ? QZ_LEFT_BORROWED
                          : is_mtp(m, name)        ? QZ_LEFT_MTP
                          : of_other_part(m, name) ? QZ_LEFT_OTHER
                                                   : buffer_of(name);
        m->left[i].key = key_of(m, m->left[i].name);
        m->left[i].twin = twin_of(m, m->left[i].name);
    }
    for (size_t i = 0; i < m->n_tensors; i++) {
        const qz_tensor_view *t = &m->tensors[i];
        if (claimed[i]) continue;
        char *type = qz_arena_alloc(&m->arena, 32, 1);
        if (type == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
        (void)snprintf(type, 32, "%s", qz_tensor_type_text(t, type));
        QZ_TRY(qz_model_leave(m, &(qz_leftover){.name = t->name, .file_name = t->file_name, .file = t->file,
                                                .offset = t->offset, .type = type, .n_dims = t->n_dims,
                                                .kind = kind_of(m, t), .key = key_of(m, t->name),
                                                .twin = twin_of(m, t->name)}, err));
    }
    for (size_t i = 0; i < m->n_tensors; i++)
        if (claimed[i]) m->tensors[n++] = m->tensors[i];
    m->n_tensors = n;
    return QZ_OK;
}

size_t qz_leftovers_count(const qz_model *m, qz_left_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < m->n_left; i++) n += m->left[i].kind == kind;
    return n;
}

bool qz_leftovers_heads_gone(const qz_model *m) {
    return m->config.mtp_layers && qz_leftovers_count(m, QZ_LEFT_MTP) == 0;
}

const char *qz_leftovers_mtp(const qz_model *m, char buf[64]) {
    const size_t n = qz_leftovers_count(m, QZ_LEFT_MTP);
    buf[0] = 0;
    if (n) (void)snprintf(buf, 64, ", of prediction heads (MTP) %zu", n);
    const size_t borrowed = qz_leftovers_count(m, QZ_LEFT_BORROWED);
    if (borrowed) (void)snprintf(buf, 64, ", of layers that borrow keys %zu", borrowed); /* no family has both */
    return buf;
}

void qz_leftovers_names(const qz_model *m, qz_left_kind kind, qz_str *out) {
    size_t n = 0;
    for (size_t i = 0; i < m->n_left; i++) {
        if (m->left[i].kind != kind) continue;
        if (n++ < SHOWN) qz_str_printf(out, "%s'%.80s'", n > 1 ? ", " : "", m->left[i].file_name);
    }
    if (n > SHOWN) qz_str_printf(out, " and %zu more", n - SHOWN);
}

void qz_leftovers_keys(const qz_model *m, qz_str *out) {
    const size_t start = out->len;
    for (size_t i = 0; i < m->n_left; i++) {
        bool known = m->left[i].key == NULL || m->left[i].kind != QZ_LEFT_PART;
        for (size_t k = 0; k < i && !known; k++)
            known = m->left[k].kind == QZ_LEFT_PART && m->left[k].key && strcmp(m->left[k].key, m->left[i].key) == 0;
        if (!known) qz_str_printf(out, "%s%s", out->len > start ? ", " : "", m->left[i].key);
    }
}

void qz_leftovers_json(const qz_model *m, qz_json_writer *w) {
    const qz_config_keys *k = &m->config.keys;
    qz_str text = {0};
    qz_jw_open(w, "leftovers", '{');
    qz_jw_count(w, "parts", qz_leftovers_count(m, QZ_LEFT_PART));
    qz_jw_count(w, "buffers", qz_leftovers_count(m, QZ_LEFT_BUFFER));
    qz_jw_count(w, "cache_scales", qz_leftovers_count(m, QZ_LEFT_CACHE));
    qz_jw_count(w, "head_copies", qz_leftovers_count(m, QZ_LEFT_TWIN));
    qz_jw_count(w, "zero_biases", qz_leftovers_count(m, QZ_LEFT_ZEROS));
    const size_t mtp = qz_leftovers_count(m, QZ_LEFT_MTP);
    if (mtp) qz_jw_count(w, "prediction_heads", mtp);
    if (qz_leftovers_heads_gone(m)) qz_jw_count(w, "prediction_layers_announced", m->config.mtp_layers);
    const size_t borrowed = qz_leftovers_count(m, QZ_LEFT_BORROWED);
    if (borrowed) qz_jw_count(w, "borrowed_keys", borrowed);
    if (m->config.wrapped) qz_jw_count(w, "other_parts", qz_leftovers_count(m, QZ_LEFT_OTHER));
    qz_jw_bool(w, "head_untied", m->head_untied);
    qz_jw_open(w, "names", '[');
    for (size_t i = 0; i < m->n_left; i++)
        if (m->left[i].kind == QZ_LEFT_PART) qz_jw_text(w, NULL, m->left[i].file_name);
    qz_jw_close(w, ']');
    qz_str_printf(&text, "%s%s%s", k->refused, *k->refused && *k->noted ? ", " : "", k->noted);
    qz_jw_count(w, "config_keys_refused", k->n_refused);
    qz_jw_count(w, "config_keys_noted", k->n_noted);
    qz_jw_text(w, "config_keys", text.ptr ? text.ptr : "");
    qz_unread_json(k, "", w);
    qz_jw_close(w, '}');
    w->out->failed |= text.failed;
    qz_str_release(&text);
}

void qz_unread_json(const qz_config_keys *k, const char *suffix, qz_json_writer *w) {
    char key[32];
    if (k->n_noted == 0) return;
    (void)snprintf(key, sizeof key, "unread_keys%s", suffix);
    qz_jw_count(w, key, k->n_noted);
    (void)snprintf(key, sizeof key, "unread%s", suffix);
    qz_jw_text(w, key, k->noted);
}

static void say_unread(qz_run *run, const char *path, const qz_config_keys *k) {
    if (k->n_noted)
        qz_info_once(run, "note: %s: %u key%s of the configuration not read: %s", path, k->n_noted,
                     k->n_noted == 1 ? "" : "s", k->noted);
}

static void say_refused(qz_run *run, const char *path, const qz_config_keys *k) {
    if (k->n_refused)
        qz_warn_once(run, "%s: %s: keys of the configuration ignored: %u: %s", QZ_CODE_KEYS, path, k->n_refused,
                     k->refused);
}

void qz_keys_say(qz_run *run, const char *path, const qz_config_keys *k) {
    say_unread(run, path, k);
    say_refused(run, path, k);
}

qz_status qz_model_doubt(qz_run *run, qz_model *m, qz_error *err, const char *fmt, ...) {
    qz_str s = {0};
    va_list ap;
    va_start(ap, fmt);
    qz_str_vprintf(&s, fmt, ap);
    va_end(ap);
    const char **list = qz_arena_alloc(&m->arena, m->n_doubts + 1, sizeof *list),
               *text = s.ptr ? qz_arena_strdup(&m->arena, s.ptr) : NULL;
    qz_str_release(&s);
    if (list == NULL || text == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    if (m->n_doubts) memcpy(list, m->doubts, m->n_doubts * sizeof *list);
    list[m->n_doubts++] = text;
    m->doubts = list;
    if (!run || run->accept == NULL || strcmp(run->accept, "*") != 0) qz_warn_once(run, "%s: %s", m->path, text);
    return QZ_OK;
}

/* Ids that no row of the embedding has. */
static void say_ids(qz_run *run, const qz_model *m) {
    const qz_config *c = &m->config;
    for (size_t i = 0; i < c->n_eos + 2; i++) {
        const int64_t id = i < c->n_eos ? c->eos_ids[i] : i == c->n_eos ? c->bos_id : c->pad_id;
        const char *what = i < c->n_eos ? "eos_token_id" : i == c->n_eos ? "bos_token_id" : "pad_token_id";
        if (id < -1 || (id >= 0 && (uint64_t)id >= c->vocab_size))
            qz_warn_once(run,
                         "%s: %s %lld lies outside of the vocabulary (ids 0 to %llu)%s; correct config.json and "
                         "generation_config.json",
                         m->path, what, (long long)id, (unsigned long long)c->vocab_size - 1,
                         i < c->n_eos ? ": generation never stops at it" : "");
    }
}

/* Lines for what passes; the names of each kind are few. */
static void say(qz_run *run, const qz_model *m) {
    static const struct { qz_left_kind kind; const char *what; } rows[] = {
        {QZ_LEFT_BUFFER, "stored as buffers, computed anew and not read"},
        {QZ_LEFT_TWIN, "stored as output matrix, equal to the tied embedding and not kept twice"},
        {QZ_LEFT_ZEROS, "stored as biases of zeros and not kept"},
        {QZ_LEFT_MTP, "that predict tokens beyond the next (MTP), not run"},
        {QZ_LEFT_BORROWED, "of layers that borrow the keys and values of an earlier one, not read and not kept"},
        {QZ_LEFT_OTHER, "of images or sound, kept out: only the text model is read"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        qz_str names = {0};
        const size_t n = qz_leftovers_count(m, rows[i].kind);
        if (n == 0) continue;
        qz_leftovers_names(m, rows[i].kind, &names);
        qz_info_once(run, "note: %s: tensors %s: %zu: %s", m->path, rows[i].what, n, names.ptr ? names.ptr : "");
        qz_str_release(&names);
    }
    if (qz_leftovers_heads_gone(m))
        qz_info_once(run,
                     "note: %s: config.json announces %llu layer%s that predict tokens beyond the next (MTP), none is "
                     "stored: what is made of it has none",
                     m->path, (unsigned long long)m->config.mtp_layers, qz_plural(m->config.mtp_layers));
    const size_t scales = qz_leftovers_count(m, QZ_LEFT_CACHE);
    if (scales)
        qz_warn_once(run,
                     "%s: %zu scales of an FP8 cache are not used here (the cache is float), and what is made from "
                     "this model does not keep them ('quantz quantize … --calib' with +kv makes them anew)",
                     m->path, scales);
    say_ids(run, m);
    if (m->head_untied)
        qz_warn_once(run,
                     "%s: the configuration ties the output matrix to the embedding, and 'lm_head.weight' is stored "
                     "with other values: the stored one is used, as in transformers 5",
                     m->path);
    if (m->n_other_files)
        qz_info_once(run,
                     "note: %s: %zu .safetensors file%s of the folder not read (first '%s'): only model.safetensors, "
                     "or what its index names, is",
                     m->path, m->n_other_files, m->n_other_files == 1 ? "" : "s", m->other_file);
    say_unread(run, m->path, &m->config.keys);
    if (m->config.keys.n_absent)
        qz_info_once(run, "note: %s: config.json: %u key%s absent, defaults of the family used: %s", m->path,
                     m->config.keys.n_absent, m->config.keys.n_absent == 1 ? "" : "s", m->config.keys.absent);
}

static qz_status judge_parts(qz_run *run, const qz_model *m, qz_error *err) {
    const size_t n = qz_leftovers_count(m, QZ_LEFT_PART);
    qz_str names = {0}, keys = {0};
    qz_status st = QZ_OK;
    if (n == 0) return QZ_OK;
    const char *file = NULL;
    const qz_leftover *twin = NULL;
    for (size_t i = 0; i < m->n_left; i++) {
        if (m->left[i].kind != QZ_LEFT_PART) continue;
        if (file == NULL) file = m->left[i].file;
        if (twin == NULL && m->left[i].twin) twin = &m->left[i];
    }
    qz_leftovers_names(m, QZ_LEFT_PART, &names);
    qz_leftovers_keys(m, &keys);
    const char *t = names.ptr ? names.ptr : "", *k = keys.ptr ? keys.ptr : "";
    if (run && qz_list_has(run->accept, QZ_CODE_UNUSED))
        qz_warn_once(run, "%s: %s: %zu stored tensor%s dropped, nothing uses %s: %s", QZ_CODE_UNUSED, m->path, n,
                     n == 1 ? " is" : "s are", n == 1 ? "it" : "them", t);
    else if (twin)
        st = qz_fail(err, QZ_EUNSUPPORTED,
                     "two tensors for one site: file '%s', tensor '%s', offset %llu: expected it or '%s', found both "
                     "(%zu tensor%s that nothing uses); "
                     "delete what is not the model's, or --accept %s drops %s",
                     twin->file, twin->file_name, (unsigned long long)twin->offset, twin->twin, n, n == 1 ? "" : "s",
                     QZ_CODE_UNUSED, t);
    else
        st = qz_fail(err, QZ_EUNSUPPORTED,
                     "nothing uses %zu stored tensor%s: file '%s', tensor%s %s: expected %s%s, found none that claims "
                     "them; "
                     "correct the configuration, or --accept %s drops them",
                     n, n == 1 ? "" : "s", file ? file : m->path, n == 1 ? "" : "s", t,
                     *k ? "a configuration with " : "parts of this model", k, QZ_CODE_UNUSED);
    qz_str_release(&names);
    qz_str_release(&keys);
    return st;
}

qz_status qz_leftovers_judge(qz_run *run, const qz_model *m, qz_error *err) {
    const qz_config_keys *k = &m->config.keys;
    if (run && run->accept && strcmp(run->accept, "*") == 0) return QZ_OK; /* the verb says it itself */
    say(run, m);
    if (k->n_refused && run && qz_list_has(run->accept, QZ_CODE_KEYS)) say_refused(run, m->path, k);
    else if (k->n_refused)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "%u key%s of the configuration would make another model and %s not read: model '%s', key%s %s: "
                       "expected none or the neutral value; "
                       "correct the configuration, or --accept %s ignores %s",
                       k->n_refused, k->n_refused == 1 ? "" : "s", k->n_refused == 1 ? "is" : "are", m->path,
                       k->n_refused == 1 ? "" : "s", k->refused, QZ_CODE_KEYS, k->n_refused == 1 ? "it" : "them");
    return judge_parts(run, m, err);
}
