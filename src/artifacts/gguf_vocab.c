/* Tokenizer keys of a GGUF file and back. Order and names: formats/gguf-tokenizer.md sections 1 and 3. */
#include "artifacts/artifacts_int.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/size.h"
#include <string.h>

static void put_texts(qz_gguf_meta *m, const char *key, const qz_text_ref *v, size_t n, qz_arena *arena, bool *failed) {
    qz_gguf_text *t = qz_arena_alloc(arena, n + 1, sizeof *t);
    if (!t) {
        *failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) t[i] = (qz_gguf_text){ v[i].ptr, v[i].len };
    qz_gguf_put_strings(m, key, t, n);
}
static void put_id(qz_gguf_meta *m, const char *key, int64_t id, uint64_t vocab) {
    if (id >= 0 && (uint64_t)id < vocab) qz_gguf_put_u32(m, key, (uint32_t)id);
}
static void put_flag(qz_gguf_meta *m, const char *key, int8_t v) {
    if (v >= 0) qz_gguf_put_bool(m, key, v != 0);
}

/* Name of a normalizer that no GGUF key can state (composition, case, accents …), or NULL. What a llama vocabulary
 * implies, a prefix space and the mark for blanks, is not one. */
static const char *lost_normalizer(const json_t *n, unsigned depth) {
    const char *type = json_string_value(json_object_get(n, "type"));
    if (!type || depth > 8) return NULL;
    if (strcmp(type, "Prepend") == 0 || strcmp(type, "Replace") == 0) return NULL;
    if (strcmp(type, "Sequence")) return type;
    const json_t *list = json_object_get(n, "normalizers");
    const char *found = NULL;
    for (size_t i = 0; i < json_array_size(list) && !found; i++)
        found = lost_normalizer(json_array_get(list, i), depth + 1);
    return found;
}

/* True if a Metaspace of the pipeline marks the first word of the text alone, which no key says. */
static bool marks_first(const json_t *p, unsigned depth) {
    const char *type = json_string_value(json_object_get(p, "type")),
               *scheme = json_string_value(json_object_get(p, "prepend_scheme"));
    if (!type || depth > 8) return false;
    if (strcmp(type, "Metaspace") == 0) return scheme && strcmp(scheme, "first") == 0;
    const json_t *list = json_object_get(p, "pretokenizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (marks_first(json_array_get(list, i), depth + 1)) return true;
    return false;
}

/* Settings of added tokens that llama.cpp does not have (it knows lstrip and rstrip of a few models by name). */
static qz_status note_added(qz_artifact_plan *p, const json_t *root, qz_arena *arena, qz_error *err) {
    static const char *const keys[] = { "lstrip", "rstrip", "single_word" };
    const json_t *list = json_object_get(root, "added_tokens");
    const char *first = NULL;
    size_t n[3] = {0}, tokens = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *t = json_array_get(list, i);
        bool any = false;
        for (size_t k = 0; k < 3; k++)
            if (json_is_true(json_object_get(t, keys[k]))) n[k]++, any = true;
        if (any && tokens++ == 0) first = json_string_value(json_object_get(t, "content"));
    }
    if (tokens == 0) return QZ_OK;
    return qz_plan_note(p, arena, err,
                        "%zu added tokens (first '%.40s') have lstrip (%zu), rstrip (%zu) or single_word (%zu), which "
                        "GGUF cannot store: text around them gets other ids in llama.cpp",
                        tokens, first ? first : "?", n[0], n[1], n[2]);
}

/* What the runtime's unigram model does otherwise than tokenizer.json says. */
static qz_status note_unigram(qz_artifact_plan *p, const json_t *root, qz_arena *arena, qz_error *err) {
    const bool bytes = json_is_true(json_object_get(json_object_get(root, "model"), "byte_fallback"));
    return qz_plan_note(p, arena, err,
                        "GGUF stores a unigram vocabulary as sentencepiece has it: leading blanks and rare marks may "
                        "get other ids in llama.cpp%s",
                        bytes ? ", and characters outside of the vocabulary the unknown token in place of bytes" : "");
}

/* Our own reader keeps the pipeline in a key of its own; llama.cpp does not know it. */
static qz_status note_normalizer(qz_artifact_plan *p, const qz_gguf_vocab *v, qz_arena *arena, qz_error *err) {
    const char *pipeline = v->pipeline;
    json_t *root = NULL;
    if (!pipeline) return QZ_OK;
    QZ_TRY(qz_json_parse(pipeline, strlen(pipeline), "tokenizer.json", &root, err));
    const bool unigram = strcmp(v->model, "t5") == 0; /* its keys hold the table and the rule for blanks */
    const char *type = unigram ? NULL : lost_normalizer(json_object_get(root, "normalizer"), 0);
    qz_status st = type ? qz_plan_note(p, arena, err,
                                       "GGUF cannot store the tokenizer's normalizer %.40s: text that %s gets other "
                                       "ids in llama.cpp",
                                       type, strcmp(type, "NFC") == 0 ? "is not in NFC" : "it would change")
                        : QZ_OK;
    if (st == QZ_OK && marks_first(json_object_get(root, "pre_tokenizer"), 0))
        st = qz_plan_note(p, arena, err,
                          "GGUF cannot store Metaspace with prepend_scheme 'first': texts that begin with a blank or "
                          "follow a special token get other ids in llama.cpp");
    if (st == QZ_OK && unigram) st = note_unigram(p, root, arena, err);
    if (st == QZ_OK) st = note_added(p, root, arena, err);
    json_decref(root);
    return st;
}

static bool among(const int64_t *ids, size_t n, int64_t id) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id) return true;
    return false;
}

/* The ids that end a text beside eos: the first as eot, the second as eom (both end generation in llama.cpp), and all
 * of them in a key of our own when there are more. */
static qz_status put_ends(qz_artifact_plan *p, int64_t eos, qz_arena *arena, qz_gguf_meta *m, qz_error *err) {
    const qz_config *c = &p->model->config;
    int64_t ids[sizeof c->eos_ids / sizeof c->eos_ids[0] + 1];
    uint32_t all[sizeof ids / sizeof ids[0]];
    size_t n = 0;
    if (eos >= 0 && (uint64_t)eos < c->vocab_size) ids[n++] = eos;
    for (size_t i = 0; i < c->n_eos; i++)
        if (c->eos_ids[i] >= 0 && (uint64_t)c->eos_ids[i] < c->vocab_size && !among(ids, n, c->eos_ids[i]))
            ids[n++] = c->eos_ids[i];
    if (n > 1) put_id(m, "tokenizer.ggml.eot_token_id", ids[1], c->vocab_size);
    if (n > 2) put_id(m, "tokenizer.ggml.eom_token_id", ids[2], c->vocab_size);
    if (n <= 3) return QZ_OK;
    for (size_t i = 0; i < n; i++) all[i] = (uint32_t)ids[i];
    qz_gguf_put_u32s(m, QZ_GGUF_ENDS_KEY, all, n);
    return qz_plan_note(p, arena, err,
                        "%zu token ids end a text, GGUF has keys for three: the others (first %lld) stand in %s, which "
                        "llama.cpp does not read",
                        n, (long long)ids[3], QZ_GGUF_ENDS_KEY);
}

qz_status qz_gguf_vocab_put(qz_artifact_plan *p, qz_arena *arena, qz_gguf_meta *m, qz_error *err) {
    const qz_config *c = &p->model->config;
    if (!p->context->tokenizer) { /* inputs are ids: the form the reference converter writes for models without one */
        const int64_t eos = c->n_eos ? c->eos_ids[0] : -1;
        qz_gguf_put_str(m, "tokenizer.ggml.model", "none");
        put_id(m, "tokenizer.ggml.bos_token_id", c->bos_id, c->vocab_size);
        put_id(m, "tokenizer.ggml.eos_token_id", eos, c->vocab_size);
        QZ_TRY(put_ends(p, eos, arena, m, err)); /* llama.cpp reads none of them without a vocabulary; we do */
        put_id(m, "tokenizer.ggml.padding_token_id", c->pad_id, c->vocab_size);
        return QZ_OK;
    }
    qz_gguf_vocab v = {0};
    bool failed = false;
    const qz_gguf_pre_wish wish = {p->context->forced_pre, qz_family_get(c->family)->gguf_pre};
    QZ_TRY(qz_tokenizer_to_gguf(p->context->tokenizer, (size_t)c->vocab_size, wish, arena, &v, err));
    if (wish.forced && (v.pre == NULL || strcmp(v.pre, wish.forced) != 0))
        QZ_TRY(qz_plan_note(p, arena, err,
                            "--pre %s had no effect: the tokenizer's own pipeline is known, and the file says '%s'",
                            wish.forced, v.pre ? v.pre : v.model));
    put_flag(m, "tokenizer.ggml.add_space_prefix", v.add_space_prefix);
    put_flag(m, "tokenizer.ggml.remove_extra_whitespaces", v.remove_extra_spaces);
    if (v.charsmap) qz_gguf_put_u8s(m, "tokenizer.ggml.precompiled_charsmap", v.charsmap, v.n_charsmap);
    qz_gguf_put_str(m, "tokenizer.ggml.model", v.model);
    if (v.pre) qz_gguf_put_str(m, "tokenizer.ggml.pre", v.pre);
    put_texts(m, "tokenizer.ggml.tokens", v.tokens, v.n_tokens, arena, &failed);
    if (v.scores) qz_gguf_put_f32s(m, "tokenizer.ggml.scores", v.scores, v.n_tokens);
    if (v.types) qz_gguf_put_i32s(m, "tokenizer.ggml.token_type", v.types, v.n_tokens);
    if (v.n_merges) put_texts(m, "tokenizer.ggml.merges", v.merges, v.n_merges, arena, &failed);
    /* tokenizer_config first, then the ids of config.json (lists are ignored there, as the reference does) */
    put_id(m, "tokenizer.ggml.bos_token_id", v.bos >= 0 ? v.bos : c->bos_id, c->vocab_size);
    const int64_t eos = v.eos >= 0 ? v.eos : c->n_eos ? c->eos_ids[0] : -1;
    put_id(m, "tokenizer.ggml.eos_token_id", eos, c->vocab_size);
    QZ_TRY(put_ends(p, eos, arena, m, err));
    put_id(m, "tokenizer.ggml.unknown_token_id", v.unk, c->vocab_size);
    put_id(m, "tokenizer.ggml.padding_token_id", v.pad >= 0 ? v.pad : c->pad_id, c->vocab_size);
    put_flag(m, "tokenizer.ggml.add_bos_token", v.add_bos);
    put_flag(m, "tokenizer.ggml.add_eos_token", v.add_eos);
    if (v.chat_template) qz_gguf_put_str(m, "tokenizer.chat_template", v.chat_template);
    if (v.pipeline) qz_gguf_put_str(m, QZ_GGUF_PIPELINE_KEY, v.pipeline);
    if (failed) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    return note_normalizer(p, &v, arena, err);
}

static qz_status get_cstr(const qz_gguf *g, const char *key, bool required, qz_arena *a, const char **out,
                          qz_error *err) {
    qz_gguf_text t = {0};
    QZ_TRY(qz_gguf_str(g, key, required, &t, err));
    *out = NULL;
    if (!t.ptr && !qz_gguf_key(g, key)) return QZ_OK;
    if (t.n && memchr(t.ptr, 0, t.n))
        return qz_fail(err, QZ_EFORMAT, "text with a NUL byte: file '%s', key '%s'", g->path, key);
    *out = qz_arena_strndup(a, t.n ? t.ptr : "", t.n);
    return *out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
}
static qz_status get_texts(const qz_gguf *g, const char *key, bool required, qz_arena *a, const qz_text_ref **out,
                           size_t *n, qz_error *err) {
    qz_gguf_text *t = NULL;
    QZ_TRY(qz_gguf_strings(g, key, required, a, &t, n, err));
    qz_text_ref *r = qz_arena_alloc(a, *n + 1, sizeof *r);
    if (!r) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
    for (size_t i = 0; i < *n; i++) r[i] = (qz_text_ref){ t[i].ptr, t[i].n };
    *out = r;
    return QZ_OK;
}
/* Array of four-byte values in aligned memory; its length must be the number of tokens. */
static qz_status get_words(const qz_gguf *g, const char *key, qz_gguf_kind kind, size_t want, qz_arena *a,
                           const void **out, qz_error *err) {
    const uint8_t *p = NULL;
    size_t n = 0;
    QZ_TRY(qz_gguf_array(g, key, kind, false, &p, &n, err));
    *out = NULL;
    if (!p) return QZ_OK;
    if (n != want)
        return qz_fail(err, QZ_EFORMAT, "wrong length: file '%s', key '%s': expected %zu values, found %zu", g->path,
                       key, want, n);
    void *v = qz_arena_alloc(a, n + 1, 4);
    if (!v) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
    memcpy(v, p, n * 4);
    *out = v;
    return QZ_OK;
}
static qz_status get_id(const qz_gguf *g, const char *key, size_t n, int64_t *out, qz_error *err) {
    uint64_t v = UINT64_MAX;
    QZ_TRY(qz_gguf_u64(g, key, false, &v, err));
    *out = v < n ? (int64_t)v : -1; /* ids beyond the vocabulary are ignored, as the reference does */
    return QZ_OK;
}
static qz_status get_flag(const qz_gguf *g, const char *key, int8_t *out, qz_error *err) {
    bool v = false;
    QZ_TRY(qz_gguf_bool(g, key, false, &v, err));
    *out = qz_gguf_key(g, key) ? (int8_t)v : -1;
    return QZ_OK;
}

/* Bytes, as u8 or i8. */
static qz_status get_charsmap(const qz_gguf *g, qz_gguf_vocab *v, qz_error *err) {
    static const char key[] = "tokenizer.ggml.precompiled_charsmap";
    const qz_gguf_kv *kv = qz_gguf_key(g, key);
    if (!kv) return QZ_OK;
    return qz_gguf_array(g, key, kv->elem == QZ_GGUF_I8 ? QZ_GGUF_I8 : QZ_GGUF_U8, true, &v->charsmap, &v->n_charsmap,
                         err);
}

static qz_status read_vocab(const qz_gguf *g, qz_arena *a, qz_gguf_vocab *v, qz_error *err) {
    QZ_TRY(get_texts(g, "tokenizer.ggml.tokens", true, a, &v->tokens, &v->n_tokens, err));
    QZ_TRY(get_texts(g, "tokenizer.ggml.merges", false, a, &v->merges, &v->n_merges, err));
    const void *types = NULL, *scores = NULL;
    QZ_TRY(get_words(g, "tokenizer.ggml.token_type", QZ_GGUF_I32, v->n_tokens, a, &types, err));
    QZ_TRY(get_words(g, "tokenizer.ggml.scores", QZ_GGUF_F32, v->n_tokens, a, &scores, err));
    v->types = types;
    v->scores = scores;
    QZ_TRY(get_cstr(g, "tokenizer.ggml.pre", false, a, &v->pre, err));
    QZ_TRY(get_cstr(g, "tokenizer.chat_template", false, a, &v->chat_template, err));
    QZ_TRY(get_cstr(g, QZ_GGUF_PIPELINE_KEY, false, a, &v->pipeline, err));
    QZ_TRY(get_id(g, "tokenizer.ggml.bos_token_id", v->n_tokens, &v->bos, err));
    QZ_TRY(get_id(g, "tokenizer.ggml.eos_token_id", v->n_tokens, &v->eos, err));
    QZ_TRY(get_id(g, "tokenizer.ggml.padding_token_id", v->n_tokens, &v->pad, err));
    QZ_TRY(get_id(g, "tokenizer.ggml.unknown_token_id", v->n_tokens, &v->unk, err));
    QZ_TRY(get_flag(g, "tokenizer.ggml.add_bos_token", &v->add_bos, err));
    QZ_TRY(get_flag(g, "tokenizer.ggml.add_eos_token", &v->add_eos, err));
    QZ_TRY(get_flag(g, "tokenizer.ggml.remove_extra_whitespaces", &v->remove_extra_spaces, err));
    QZ_TRY(get_charsmap(g, v, err));
    return get_flag(g, "tokenizer.ggml.add_space_prefix", &v->add_space_prefix, err);
}

qz_status qz_gguf_vocab_read(const qz_gguf *g, bool ours, qz_tokenizer **out, qz_error *err) {
    qz_arena a = {0};
    qz_gguf_vocab v = {0};
    qz_status st = QZ_OK;
    *out = NULL;
    QZ_GOTO(get_cstr(g, "tokenizer.ggml.model", false, &a, &v.model, err));
    if (v.model && strcmp(v.model, "none") && strcmp(v.model, "no_vocab")) {
        QZ_GOTO(read_vocab(g, &a, &v, err));
        if (!ours) v.pipeline = NULL;
        st = qz_tokenizer_from_gguf(&v, g->path, out, err);
    }
out:
    qz_arena_release(&a);
    return st;
}
