/* tokenizer.json and its companions tokenizer_config.json and chat_template.jinja (formats/tokenizer-json.md). */
#include <math.h>
#include <string.h>
#include "base/io.h"
#include "base/json.h"
#include "base/page.h"
#include "base/size.h"
#include "text/text_file.h"
#include "text/tokenizer_int.h"
#include "base/utf8.h"

#define FILE_LIMIT ((size_t)256 << 20)
#define PATTERN_KEYS 6
static const char *const pipeline_keys[PATTERN_KEYS] = {"version", "added_tokens", "normalizer", "pre_tokenizer",
                                                        "post_processor", "decoder"};

static qz_status no_memory(const qz_tokenizer *t, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory while loading tokenizer '%s'", t->path);
}

static qz_status load_vocab(qz_tokenizer *t, const json_t *vocab, qz_error *err) {
    const char *key;
    json_t *v;
    if (!json_is_object(vocab))
        return qz_fail(err, QZ_EFORMAT, "bad model: file '%s', key 'model.vocab': expected an object", t->path);
    json_object_foreach((json_t *)(uintptr_t)vocab, key, v) {
        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) >= QZ_TOK_MAX_ID)
            return qz_fail(err, QZ_EFORMAT, "bad id: file '%s', key 'model.vocab', token '%.60s': expected 0..%u",
                           t->path, key, QZ_TOK_MAX_ID - 1);
        const qz_new_token token = {key, strlen(key), (uint32_t)json_integer_value(v), QZ_TOKF_USED | QZ_TOKF_MODEL};
        QZ_TRY(qz_vocab_add(&t->vocab, &t->arena, token, t->path, err));
    }
    /* A hole costs memory by id: refuse ids far above the number of tokens. */
    if (t->vocab.n > 2 * t->vocab.count + 65536)
        return qz_fail(err, QZ_EFORMAT, "bad model: file '%s', key 'model.vocab': highest id %zu, but only %zu tokens",
                       t->path, t->vocab.n - 1, t->vocab.count);
    return QZ_OK;
}

/* [[piece, score], …], the id is the place. */
static qz_status load_pieces(qz_tokenizer *t, const json_t *vocab, qz_error *err) {
    const size_t n = json_array_size(vocab);
    qz_unigram *u = &t->unigram;
    if (!json_is_array(vocab) || n >= QZ_TOK_MAX_ID)
        return qz_fail(err, QZ_EFORMAT,
                       "bad model: file '%s', key 'model.vocab': expected an array of fewer than %u pieces", t->path,
                       QZ_TOK_MAX_ID);
    u->on = true;
    u->n_score = n;
    u->score = qz_arena_alloc(&t->arena, n + 1, sizeof *u->score);
    if (!u->score) return no_memory(t, err);
    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_array_get(vocab, i), *piece = json_array_get(e, 0), *score = json_array_get(e, 1);
        if (!json_is_string(piece) || !json_is_number(score) || !isfinite((float)json_number_value(score)))
            return qz_fail(err, QZ_EFORMAT,
                           "bad piece: file '%s', key 'model.vocab', entry %zu: expected [text, score]", t->path, i);
        u->score[i] = json_number_value(score);
        const qz_new_token token = {json_string_value(piece), json_string_length(piece), (uint32_t)i,
                                    QZ_TOKF_USED | QZ_TOKF_MODEL};
        QZ_TRY(qz_vocab_add(&t->vocab, &t->arena, token, t->path, err));
    }
    return QZ_OK;
}

static qz_status load_unigram(qz_tokenizer *t, const json_t *m, qz_error *err) {
    QZ_TRY(qz_json_bool(m, "byte_fallback", t->path, &t->byte_fallback, err));
    QZ_TRY(load_pieces(t, json_object_get(m, "vocab"), err));
    return qz_tok_unknown_id(t, m, err);
}

qz_status qz_tok_unknown_id(qz_tokenizer *t, const json_t *m, qz_error *err) {
    uint64_t id = UINT64_MAX;
    if (json_is_null(json_object_get(m, "unk_id"))) return QZ_OK;
    QZ_TRY(qz_json_u64(m, "unk_id", t->path, &id, err));
    if (id == UINT64_MAX) return QZ_OK;
    if (id >= t->vocab.n || !t->vocab.text[id])
        return qz_fail(err, QZ_EFORMAT,
                       "bad model: file '%s', key 'model.unk_id': expected an id below %zu, found %llu", t->path,
                       t->vocab.n, (unsigned long long)id);
    t->unk = (uint32_t)id;
    return QZ_OK;
}

/* "a b" or ["a", "b"]. */
static bool merge_parts(const json_t *m, const char **l, size_t *nl, const char **r, size_t *nr) {
    if (json_is_string(m)) {
        const char *s = json_string_value(m);
        size_t n = json_string_length(m);
        const char *sp = memchr(s, ' ', n);
        if (!sp || memchr(sp + 1, ' ', n - (size_t)(sp + 1 - s))) return false;
        *l = s, *nl = (size_t)(sp - s);
        *r = sp + 1, *nr = n - *nl - 1;
        return true;
    }
    const json_t *a = json_array_get(m, 0), *b = json_array_get(m, 1);
    if (json_array_size(m) != 2 || !json_is_string(a) || !json_is_string(b)) return false;
    *l = json_string_value(a), *nl = json_string_length(a);
    *r = json_string_value(b), *nr = json_string_length(b);
    return true;
}

/* The GGUF spelling "left right", in which a space inside a part becomes U+0120. */
static bool keep_merge(qz_tokenizer *t, const char *l, size_t nl, const char *r, size_t nr, qz_str *tmp) {
    qz_str_clear(tmp);
    for (size_t i = 0; i < nl; i++) l[i] == ' ' ? qz_str_append(tmp, "\xc4\xa0", 2) : qz_str_putc(tmp, l[i]);
    qz_str_putc(tmp, ' ');
    for (size_t i = 0; i < nr; i++) r[i] == ' ' ? qz_str_append(tmp, "\xc4\xa0", 2) : qz_str_putc(tmp, r[i]);
    char *s = tmp->failed ? NULL : qz_arena_strndup(&t->arena, tmp->ptr, tmp->len);
    if (!s) return false;
    t->merge_text[t->n_merge_text++] = (qz_text_ref){s, tmp->len};
    return true;
}

static qz_status load_merges(qz_tokenizer *t, const json_t *list, qz_error *err) {
    size_t n = json_array_size(list);
    qz_str tmp = {0};
    qz_status st = QZ_OK;
    if (!json_is_array(list))
        return qz_fail(err, QZ_EFORMAT, "bad model: file '%s', key 'model.merges': expected an array", t->path);
    QZ_TRY(qz_merges_reserve(&t->merges, n, err));
    t->merge_text = qz_arena_alloc(&t->arena, n + 1, sizeof *t->merge_text);
    if (!t->merge_text) return no_memory(t, err);
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        const json_t *m = json_array_get(list, i);
        const char *l, *r;
        size_t nl, nr;
        if (json_is_string(m) && qz_str_starts(json_string_value(m), "#version")) continue;
        if (!merge_parts(m, &l, &nl, &r, &nr))
            st = qz_fail(err, QZ_EFORMAT, "bad merge: file '%s', key 'model.merges', entry %zu: expected two parts",
                         t->path, i);
        else if (!qz_tok_merge(t, l, nl, r, nr, (uint32_t)i, &tmp))
            st = tmp.failed ? no_memory(t, err)
                            : qz_fail(err, QZ_EFORMAT,
                                      "merge not in the vocabulary: file '%s', key 'model.merges', entry %zu: '%.60s' "
                                      "+ '%.60s'",
                                      t->path, i, l, r);
        else if (!keep_merge(t, l, nl, r, nr, &tmp))
            st = no_memory(t, err);
    }
    qz_str_release(&tmp);
    return st;
}

static qz_status load_model(qz_tokenizer *t, const json_t *m, qz_error *err) {
    const char *type = NULL, *unk = NULL, *prefix = NULL, *suffix = NULL;
    if (!json_is_object(m))
        return qz_fail(err, QZ_EFORMAT, "bad tokenizer: file '%s': expected an object under 'model'", t->path);
    QZ_TRY(qz_json_str(m, "type", t->path, &type, err));
    if (!type)
        type = json_object_get(m, "merges")                 ? "BPE"
               : json_is_array(json_object_get(m, "vocab")) ? "Unigram"
                                                            : "WordLevel";
    if (strcmp(type, "Unigram") == 0) return load_unigram(t, m, err);
    if (strcmp(type, "BPE") != 0)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "tokenizer model not supported: file '%s': expected 'BPE' or 'Unigram', found '%s'; models with "
                       "a %s tokenizer (BERT and the like) cannot be read",
                       t->path, type, type);
    QZ_TRY(qz_json_str(m, "unk_token", t->path, &unk, err));
    QZ_TRY(qz_json_str(m, "continuing_subword_prefix", t->path, &prefix, err));
    QZ_TRY(qz_json_str(m, "end_of_word_suffix", t->path, &suffix, err));
    if ((prefix && *prefix) || (suffix && *suffix))
        return qz_fail(err, QZ_EUNSUPPORTED, "BPE with subword prefix or suffix not supported: file '%s'", t->path);
    QZ_TRY(qz_json_bool(m, "fuse_unk", t->path, &t->fuse_unk, err));
    QZ_TRY(qz_json_bool(m, "byte_fallback", t->path, &t->byte_fallback, err));
    QZ_TRY(qz_json_bool(m, "ignore_merges", t->path, &t->ignore_merges, err));
    QZ_TRY(load_vocab(t, json_object_get(m, "vocab"), err));
    if (unk) {
        t->unk = qz_vocab_find(&t->vocab, unk, strlen(unk));
        if (t->unk == QZ_NO_ID)
            return qz_fail(err, QZ_EFORMAT, "bad model: file '%s': unk_token '%s' is not in the vocabulary", t->path,
                           unk);
    }
    return load_merges(t, json_object_get(m, "merges"), err);
}

/* tokenizer.json without vocabulary and merges, as text: what a GGUF file keeps so that nothing is guessed later. */
static qz_status keep_pipeline(qz_tokenizer *t, const json_t *root, const json_t *model, qz_error *err) {
    static const char *const model_keys[] = {"type", "unk_token", "fuse_unk", "byte_fallback", "ignore_merges",
                                             "unk_id"};
    json_t *o = json_object(), *m = json_object();
    int bad = !o || !m;
    for (size_t i = 0; i < PATTERN_KEYS && !bad; i++) {
        json_t *v = json_object_get(root, pipeline_keys[i]);
        if (v) bad |= json_object_set(o, pipeline_keys[i], v);
    }
    for (size_t i = 0; i < sizeof model_keys / sizeof *model_keys && !bad; i++) {
        json_t *v = json_object_get(model, model_keys[i]);
        if (v) bad |= json_object_set(m, model_keys[i], v);
    }
    /* added tokens below this id are pieces too */
    if (!bad && t->unigram.on)
        bad |= json_object_set_new(m, QZ_TOK_PIECES_KEY, json_integer((json_int_t)t->unigram.n_score));
    if (!bad) bad |= json_object_set(o, "model", m);
    char *text = bad ? NULL : json_dumps(o, JSON_COMPACT);
    if (text) t->pipeline = qz_arena_strdup(&t->arena, text);
    free(text); /* jansson allocates with malloc */
    json_decref(m);
    json_decref(o);
    return t->pipeline ? QZ_OK : no_memory(t, err);
}

/* ---- tokenizer_config.json ---- */
/* A special token: a string or an AddedToken object. */
static qz_status special_of(qz_tokenizer *t, const json_t *c, const char *key, const char **text, int64_t *id,
                            qz_error *err) {
    const json_t *v = json_object_get(c, key);
    if (json_is_object(v)) v = json_object_get(v, "content");
    if (!json_is_string(v)) return QZ_OK;
    *text = qz_arena_strdup(&t->arena, json_string_value(v));
    *id = qz_tokenizer_id(t, json_string_value(v), json_string_length(v));
    return *text ? QZ_OK : no_memory(t, err);
}

static const json_t *template_of(const json_t *v) {
    if (json_is_string(v)) return v;
    const json_t *first = NULL;
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *e = json_array_get(v, i), *s = json_object_get(e, "template");
        const char *name = json_string_value(json_object_get(e, "name"));
        if (!json_is_string(s)) continue;
        if (!first || (name && strcmp(name, "default") == 0)) first = s;
    }
    return first;
}

static qz_status load_config(qz_tokenizer *t, const json_t *c, qz_error *err) {
    static const char path[] = "tokenizer_config.json";
    qz_status st = QZ_OK;
    bool add_bos = false;
    QZ_GOTO(special_of(t, c, "bos_token", &t->bos_text, &t->bos, err));
    QZ_GOTO(special_of(t, c, "eos_token", &t->eos_text, &t->eos, err));
    QZ_GOTO(special_of(t, c, "pad_token", &t->pad_text, &t->pad, err));
    QZ_GOTO(special_of(t, c, "unk_token", &t->unk_text, &t->unk_special, err));
    QZ_GOTO(qz_json_bool(c, "add_bos_token", path, &add_bos, err));
    if (json_is_boolean(json_object_get(c, "add_bos_token"))) t->add_bos_set = add_bos;
    const json_t *clean = json_object_get(c, "clean_up_tokenization_spaces");
    if (json_is_boolean(clean)) t->clean_spaces = json_is_true(clean);
    const json_t *tpl = template_of(json_object_get(c, "chat_template"));
    if (tpl) {
        t->chat_template = qz_arena_strdup(&t->arena, json_string_value(tpl));
        if (!t->chat_template) st = no_memory(t, err);
    }
out:
    return st;
}

static qz_status load_template_file(qz_tokenizer *t, const char *path, qz_error *err) {
    char *text = NULL;
    size_t n = 0;
    if (!qz_path_exists(path)) return QZ_OK;
    QZ_TRY(qz_read_file(path, 16 << 20, &text, &n, err));
    qz_status st = qz_text_check(path, text, n, err);
    if (st == QZ_OK && qz_is_document(text, n))
        st = qz_fail(err, QZ_EFORMAT,
                     "not a chat template: file '%s', offset 0: expected a Jinja template, found " QZ_PAGE_NAME
                     "; " QZ_PAGE_CURE,
                     path);
    if (st == QZ_OK && !(t->chat_template = qz_arena_strndup(&t->arena, text, n)))
        st = no_memory(t, err);
    qz_free(text);
    return st;
}

static qz_status load_template(qz_tokenizer *t, const char *dir, qz_error *err) {
    char *tpl = qz_path_join(dir, "chat_template.jinja");
    qz_status st = tpl ? load_template_file(t, tpl, err) : no_memory(t, err);
    qz_free(tpl);
    return st;
}

static qz_status load_parts(qz_tokenizer *t, json_t *root, const json_t *config, const char *dir, qz_error *err) {
    const char *version = NULL;
    QZ_TRY(qz_json_str(root, "version", t->path, &version, err));
    if (version && strcmp(version, "1.0") != 0)
        return qz_fail(err, QZ_EUNSUPPORTED, "tokenizer version not supported: file '%s': expected '1.0', found '%s'",
                       t->path, version);
    QZ_TRY(load_model(t, json_object_get(root, "model"), err));
    if (dir) QZ_TRY(qz_tok_add_companions(t, root, config, dir, err));
    QZ_TRY(qz_tok_build_pipeline(t, root, err));
    QZ_TRY(keep_pipeline(t, root, json_object_get(root, "model"), err));
    if (config) QZ_TRY(load_config(t, config, err));
    if (dir) QZ_TRY(load_template(t, dir, err));
    if (t->bos < 0 && !t->bos_text && t->n_before > 0) { /* no config: what the template puts in front is the BOS */
        t->bos = t->before[0];
        t->bos_text = t->vocab.text[t->before[0]];
    }
    return QZ_OK;
}

static qz_status load_root(qz_tokenizer *t, json_t *root, const char *dir, qz_error *err) {
    json_t *config = NULL;
    if (!json_is_object(root)) return qz_fail(err, QZ_EFORMAT, "bad tokenizer: file '%s': expected an object", t->path);
    qz_status st = dir ? qz_tok_config(t, dir, &config, err) : QZ_OK;
    if (st == QZ_OK) st = load_parts(t, root, config, dir, err);
    json_decref(config);
    return st;
}

static qz_status load(qz_tokenizer *t, const char *dir, qz_error *err) {
    json_t *root = NULL;
    QZ_TRY(qz_json_load(t->path, FILE_LIMIT, &root, err));
    qz_status st = load_root(t, root, dir, err);
    json_decref(root);
    return st;
}

qz_status qz_tok_load_text(const char *text, size_t n, const char *name, qz_tokenizer **out, qz_error *err) {
    json_t *root = NULL;
    qz_tokenizer *t = qz_tok_new();
    qz_status st = QZ_OK;
    *out = NULL;
    if (!t || !(t->path = qz_arena_strdup(&t->arena, name)))
        QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory while loading tokenizer '%s'", name));
    QZ_GOTO(qz_json_parse(text, n, name, &root, err));
    QZ_GOTO(load_root(t, root, NULL, err));
    *out = t;
    t = NULL;
out:
    json_decref(root);
    qz_tokenizer_free(t);
    return st;
}

qz_status qz_tokenizer_load(const char *path, qz_tokenizer **out, qz_error *err) {
    bool is_dir = qz_path_is_dir(path);
    char *file = is_dir ? qz_path_join(path, "tokenizer.json") : qz_strdup(path);
    char *dir = is_dir ? qz_strdup(path) : NULL;
    qz_tokenizer *t = qz_tok_new();
    qz_status st = QZ_OK;
    *out = NULL;
    if (file && !is_dir) {
        size_t n = (size_t)(qz_path_base(file) - file);
        dir = n ? qz_strndup(file, n) : qz_strdup(".");
    }
    if (!file || !dir || !t || !(t->path = qz_arena_strdup(&t->arena, file)))
        QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory while loading tokenizer '%s'", path));
    if (!qz_path_exists(file)) QZ_GOTO(qz_tokenizer_absent(dir, err));
    QZ_GOTO(load(t, dir, err));
    *out = t;
    t = NULL;
out:
    qz_tokenizer_free(t);
    qz_free(file);
    qz_free(dir);
    return st;
}
