/* A tokenizer as tokenizer.json and tokenizer_config.json, for folders made of a GGUF file. The pipeline is the
 * source's own where its key was kept (quantz.tokenizer.pattern); a byte-level one that only a name says
 * (tokenizer.ggml.pre) is spelled out. What was written is loaded again and must be the same tokenizer. */
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/size.h"
#include "text/tokenizer_int.h"

static qz_status no_memory(const qz_tokenizer *t, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory writing the tokenizer of '%s'", t->path);
}
static qz_status cannot(const qz_tokenizer *t, const char *what, qz_error *err) {
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "tokenizer.json cannot be rebuilt from the keys of '%s': %s; give the checkpoint's folder with "
                   "--config-dir",
                   t->path, what);
}

/* ---- the model ---- */
/* Added tokens too: a loader numbers those that it does not find here anew, behind the vocabulary. */
static bool put_vocab(const qz_tokenizer *t, json_t *m) {
    json_t *vocab = json_object();
    bool ok = vocab != NULL;
    for (uint32_t i = 0; ok && i < t->vocab.n; i++)
        if (t->vocab.text[i]) ok = json_object_set_new(vocab, t->vocab.text[i], json_integer(i)) == 0;
    return ok ? json_object_set_new(m, "vocab", vocab) == 0 : (json_decref(vocab), false);
}

/* [[piece, score], …]; false also where an id below the last piece has none. */
static bool put_pieces(const qz_tokenizer *t, json_t *m) {
    const qz_unigram *u = &t->unigram;
    json_t *list = json_array();
    bool ok = list != NULL;
    for (uint32_t i = 0; ok && i < qz_min_size(u->n_score, t->vocab.n); i++)
        ok = t->vocab.text[i] && json_array_append_new(list, json_pack("[s,f]", t->vocab.text[i], u->score[i])) == 0;
    return ok ? json_object_set_new(m, "vocab", list) == 0 : (json_decref(list), false);
}

/* ["left", "right"]: the separator is the first space at index >= 1, as in the key. */
static bool put_merges(const qz_tokenizer *t, json_t *m) {
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < t->n_merge_text; i++) {
        const char *s = t->merge_text[i].ptr;
        const size_t n = t->merge_text[i].len;
        const char *sp = n > 1 ? memchr(s + 1, ' ', n - 1) : NULL;
        const size_t left = sp ? (size_t)(sp - s) : n;
        ok = sp && json_array_append_new(list, json_pack("[o,o]", json_stringn(s, left),
                                                         json_stringn(sp + 1, n - left - 1))) == 0;
    }
    return ok ? json_object_set_new(m, "merges", list) == 0 : (json_decref(list), false);
}

/* ---- a pipeline that only its name says ---- */
static json_t *named_pre(const qz_tokenizer *t) {
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < t->n_pre; i++)
        ok = json_array_append_new(list, json_pack("{s:s,s:{s:s%},s:s,s:b}", "type", "Split", "pattern", "Regex",
                                                   t->pre[i].text, t->pre[i].text_n, "behavior", "Isolated", "invert",
                                                   0)) == 0;
    ok = ok && json_array_append_new(list, json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                                                     "trim_offsets", 0, "use_regex", 0)) == 0;
    if (ok) return json_pack("{s:s,s:o}", "type", "Sequence", "pretokenizers", list);
    json_decref(list);
    return NULL;
}

static json_t *added_tokens(const qz_tokenizer *t) {
    json_t *list = json_array();
    bool ok = list != NULL;
    for (uint32_t i = 0; ok && i < t->vocab.n; i++) {
        if (!t->vocab.text[i] || !(t->vocab.flags[i] & QZ_TOKF_ADDED)) continue;
        ok = json_array_append_new(list, json_pack("{s:i,s:s,s:b,s:b,s:b,s:b,s:b}", "id", (int)i, "content",
                                                   t->vocab.text[i], "single_word", 0, "lstrip", 0, "rstrip", 0,
                                                   "normalized", 0, "special",
                                                   (t->vocab.flags[i] & QZ_TOKF_SPECIAL) != 0)) == 0;
    }
    if (ok) return list;
    json_decref(list);
    return NULL;
}

/* Tokens before and behind a text, as the template has them. */
static json_t *template_of(const qz_tokenizer *t) {
    json_t *single = json_array(), *specials = json_object();
    bool ok = single && specials;
    for (size_t i = 0; ok && i < t->n_before + t->n_after + 1; i++) {
        if (i == t->n_before) {
            ok = json_array_append_new(single, json_pack("{s:{s:s,s:i}}", "Sequence", "id", "A", "type_id", 0)) == 0;
            continue;
        }
        const uint32_t id = i < t->n_before ? t->before[i] : t->after[i - t->n_before - 1];
        const char *text = t->vocab.text[id];
        ok = json_array_append_new(single, json_pack("{s:{s:s,s:i}}", "SpecialToken", "id", text, "type_id", 0)) == 0 &&
             json_object_set_new(specials, text, json_pack("{s:s,s:[i],s:[s]}", "id", text, "ids", (int)id, "tokens",
                                                           text)) == 0;
    }
    if (ok)
        return json_pack("{s:s,s:o,s:[],s:o}", "type", "TemplateProcessing", "single", single, "pair",
                         "special_tokens", specials);
    json_decref(single);
    json_decref(specials);
    return NULL;
}

static json_t *named_pipeline(const qz_tokenizer *t) {
    json_t *post = t->n_before + t->n_after ? template_of(t) : json_null();
    json_t *root = json_pack("{s:s,s:o,s:n,s:o,s:o,s:{s:s},s:{s:s,s:b,s:b,s:b}}", "version", "1.0", "added_tokens",
                             added_tokens(t), "normalizer", "pre_tokenizer", named_pre(t), "post_processor", post,
                             "decoder", "type", "ByteLevel", "model", "type", "BPE", "fuse_unk", 0, "byte_fallback", 0,
                             "ignore_merges", t->ignore_merges);
    return root;
}

/* ---- both files ---- */
static qz_status dump(const qz_tokenizer *t, const json_t *root, qz_str *out, qz_error *err) {
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    if (text) qz_str_printf(out, "%s\n", text);
    free(text); /* jansson allocates with malloc */
    return text && !out->failed ? QZ_OK : no_memory(t, err);
}

static qz_status check(const qz_tokenizer *t, const qz_str *text, qz_error *err) {
    qz_tokenizer *back = NULL;
    qz_error why = {0};
    uint32_t id = 0;
    if (qz_tok_load_text(text->ptr, text->len, "tokenizer.json", &back, &why) != QZ_OK) return cannot(t, why.text, err);
    const char *other = "added tokens or pre-tokenizer", *part = qz_tokenizer_other_part(t, back);
    const bool steps = t->n_dec == back->n_dec && t->added[0].n == back->added[0].n &&
                       t->added[1].n == back->added[1].n && t->vocab.count == back->vocab.count;
    qz_status st = qz_tokenizer_other_token(t, back, &id) ? cannot(t, "its tokens have other ids", err)
                   : strcmp(part, other) != 0 || !steps   ? cannot(t, part, err)
                                                          : QZ_OK;
    qz_tokenizer_free(back);
    return st;
}

static qz_status put_config(const qz_tokenizer *t, qz_str *out, qz_error *err) {
    json_t *c = json_pack("{s:s}", "tokenizer_class", "PreTrainedTokenizerFast");
    const struct { const char *key, *text; } texts[] = {{"bos_token", t->bos_text}, {"eos_token", t->eos_text},
                                                        {"pad_token", t->pad_text}, {"unk_token", t->unk_text},
                                                        {"chat_template", t->chat_template}};
    bool ok = c != NULL;
    for (size_t i = 0; ok && i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text) ok = json_object_set_new(c, texts[i].key, json_string(texts[i].text)) == 0;
    if (ok && t->clean_spaces >= 0)
        ok = json_object_set_new(c, "clean_up_tokenization_spaces", json_boolean(t->clean_spaces)) == 0;
    qz_status st = dump(t, ok ? c : NULL, out, err);
    json_decref(c);
    return st;
}

qz_status qz_tokenizer_to_json(const qz_tokenizer *t, qz_str *tokenizer, qz_str *config, qz_error *err) {
    json_t *root = NULL;
    if (!t->pipeline && !t->byte_level)
        return cannot(t, "a sentencepiece vocabulary has scores, and no list of merges or pipeline", err);
    if (t->pipeline) QZ_TRY(qz_json_parse(t->pipeline, strlen(t->pipeline), t->path, &root, err));
    else root = named_pipeline(t);
    json_t *m = json_object_get(root, "model");
    if (root && !m && json_object_set_new(root, "model", json_object()) == 0) m = json_object_get(root, "model");
    const bool typed = m && (json_object_get(m, "type") || json_object_set_new(m, "type", json_string("BPE")) == 0);
    if (t->unigram.on && typed) json_object_del(m, QZ_TOK_PIECES_KEY);
    const bool ok = typed && (t->unigram.on ? put_pieces(t, m) : put_vocab(t, m) && put_merges(t, m));
    qz_status st = dump(t, ok ? root : NULL, tokenizer, err);
    json_decref(root);
    if (st == QZ_OK) st = check(t, tokenizer, err);
    return st == QZ_OK ? put_config(t, config, err) : st;
}
