/* Tokenizers of GGUF files: metadata -> tokenizer (formats/gguf-tokenizer.md); tokenizer_to_gguf.c is the reverse.
 * deviates: characters outside of a unigram vocabulary become bytes where all byte tokens are there, as in
 * sentencepiece; llama.cpp knows the unknown token alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/size.h"
#include "text/gguf_pre.h"
#include "text/tokenizer_int.h"
#include "base/utf8.h"

enum { NORMAL = QZ_GGUF_NORMAL, UNKNOWN = QZ_GGUF_UNKNOWN, CONTROL = QZ_GGUF_CONTROL, USER = QZ_GGUF_USER,
       UNUSED = QZ_GGUF_UNUSED };
static const char mark[] = "\xe2\x96\x81"; /* U+2581 stands for a space */

static qz_status no_memory(const char *name, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory for the tokenizer of '%s'", name);
}

/* ---- reading ---- */
static int32_t type_at(const qz_gguf_vocab *v, size_t i) { return v->types ? v->types[i] : NORMAL; }

static qz_status read_tokens(qz_tokenizer *t, const qz_gguf_vocab *v, const json_t *added, qz_error *err) {
    if (v->n_tokens >= QZ_TOK_MAX_ID)
        return qz_fail(err, QZ_EFORMAT, "too many tokens: file '%s': %zu", t->path, v->n_tokens);
    /* the pipeline's contents are exact, the array's are those for the runtime (spaces for U+2581 and the like) */
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *j = json_array_get(added, i), *s = json_object_get(j, "content");
        uint64_t id = UINT64_MAX;
        QZ_TRY(qz_json_u64(j, "id", t->path, &id, err));
        if (id >= v->n_tokens || !json_is_string(s))
            return qz_fail(err, QZ_EFORMAT, "bad added token: file '%s', key 'quantz.tokenizer.pattern', entry %zu",
                           t->path, i);
        const qz_new_token token = {json_string_value(s), json_string_length(s), (uint32_t)id, QZ_TOKF_USED};
        QZ_TRY(qz_vocab_add(&t->vocab, &t->arena, token, t->path, err));
    }
    for (size_t i = 0; i < v->n_tokens; i++) {
        int32_t type = type_at(v, i);
        if (type == UNUSED || v->tokens[i].len == 0) continue; /* padding */
        if (!qz_utf8_valid(v->tokens[i].ptr, v->tokens[i].len))
            return qz_fail(err, QZ_EFORMAT, "token is not UTF-8: file '%s', key 'tokenizer.ggml.tokens', id %zu",
                           t->path, i);
        uint8_t flags = (uint8_t)(QZ_TOKF_USED | (type == CONTROL || type == USER ? 0 : QZ_TOKF_MODEL));
        if (i < t->vocab.n && t->vocab.text[i]) {
            t->vocab.flags[i] |= flags;
            continue;
        }
        QZ_TRY(qz_vocab_add(&t->vocab, &t->arena,
                            (qz_new_token){v->tokens[i].ptr, v->tokens[i].len, (uint32_t)i, flags}, t->path, err));
    }
    return QZ_OK;
}

/* "left right": the separator is the first space at index >= 1. */
static qz_status read_merges(qz_tokenizer *t, const qz_gguf_vocab *v, qz_error *err) {
    qz_str tmp = {0};
    qz_status st = qz_merges_reserve(&t->merges, v->n_merges, err);
    for (size_t i = 0; i < v->n_merges && st == QZ_OK; i++) {
        const char *s = v->merges[i].ptr;
        size_t n = v->merges[i].len;
        const char *sp = n > 1 ? memchr(s + 1, ' ', n - 1) : NULL;
        if (!sp || !qz_tok_merge(t, s, (size_t)(sp - s), sp + 1, n - (size_t)(sp - s) - 1, (uint32_t)i, &tmp))
            st = tmp.failed ? no_memory(t->path, err)
                            : qz_fail(err, QZ_EFORMAT,
                                      "bad merge: file '%s', key 'tokenizer.ggml.merges', entry %zu: '%.*s' is not two "
                                      "tokens that make a third",
                                      t->path, i, (int)qz_min_size(n, 60), s);
    }
    qz_str_release(&tmp);
    return st;
}

/* Sentencepiece merges the adjacent pair whose concatenation has the highest score: as a merge list, every split of
 * every normal piece, ranked by the piece's score; equal scores share a rank, so that the leftmost wins. */
typedef struct { float score; uint32_t id, left, right; } split_row;
static int by_score(const void *x, const void *y) {
    const split_row *a = x, *b = y;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    if (a->id != b->id) return a->id < b->id ? -1 : 1;
    return (a->left > b->left) - (a->left < b->left);
}

static bool collect_splits(const qz_tokenizer *t, const qz_gguf_vocab *v, split_row **rows, size_t *count) {
    size_t n = 0, cap = 0;
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        if (type_at(v, id) != NORMAL || !t->vocab.text[id] || !(v->scores[id] == v->scores[id])) continue;
        const char *s = t->vocab.text[id];
        for (size_t i = 1; i < t->vocab.len[id]; i++) {
            if (((uint8_t)s[i] & 0xc0) == 0x80) continue;
            uint32_t l = qz_vocab_find(&t->vocab, s, i);
            uint32_t r = l == QZ_NO_ID ? QZ_NO_ID : qz_vocab_find(&t->vocab, s + i, t->vocab.len[id] - i);
            if (r == QZ_NO_ID) continue;
            if (n == cap) {
                cap = cap ? cap * 2 : 65536;
                split_row *p = qz_realloc_array(*rows, cap, sizeof *p);
                if (!p) return false;
                *rows = p;
            }
            (*rows)[n++] = (split_row){v->scores[id], id, l, r};
        }
    }
    *count = n;
    return true;
}

static qz_status score_merges(qz_tokenizer *t, const qz_gguf_vocab *v, qz_error *err) {
    split_row *rows = NULL;
    size_t n = 0;
    qz_status st = QZ_OK;
    if (!v->scores)
        return qz_fail(err, QZ_EFORMAT, "missing key: file '%s': expected 'tokenizer.ggml.scores' for model 'llama'",
                       t->path);
    if (!collect_splits(t, v, &rows, &n)) QZ_GOTO(no_memory(t->path, err));
    if (n) qsort(rows, n, sizeof *rows, by_score);
    QZ_GOTO(qz_merges_reserve(&t->merges, n, err));
    uint32_t rank = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && rows[i].score < rows[i - 1].score) rank++;
        qz_merges_put(&t->merges, rows[i].left, rows[i].right, rank, rows[i].id);
    }
out:
    qz_free(rows);
    return st;
}

static qz_status text_copy(qz_tokenizer *t, const char *s, const char **out, size_t *n, qz_error *err) {
    *out = qz_arena_strdup(&t->arena, s);
    *n = strlen(s);
    return *out ? QZ_OK : no_memory(t->path, err);
}

/* Spaces <-> U+2581 with an optional space in front: what sentencepiece does around its model. */
static qz_status spm_spaces(qz_tokenizer *t, bool prefix, qz_error *err) {
    qz_norm *m = &t->norm[t->n_norm];
    if (prefix) {
        m->kind = QZ_NORM_PREPEND;
        QZ_TRY(text_copy(t, mark, &m->to, &m->to_n, err));
        m++;
    }
    m->kind = QZ_NORM_REPLACE;
    QZ_TRY(text_copy(t, " ", &m->from, &m->from_n, err));
    QZ_TRY(text_copy(t, mark, &m->to, &m->to_n, err));
    t->n_norm += prefix ? 2 : 1;
    return QZ_OK;
}

static qz_status spm_decoder(qz_tokenizer *t, bool prefix, qz_error *err) {
    qz_dec *d = t->dec;
    d[0].kind = QZ_DEC_REPLACE;
    d[0].replace.kind = QZ_NORM_REPLACE;
    QZ_TRY(text_copy(t, mark, &d[0].replace.from, &d[0].replace.from_n, err));
    QZ_TRY(text_copy(t, " ", &d[0].replace.to, &d[0].replace.to_n, err));
    d[1].kind = QZ_DEC_BYTE_FALLBACK;
    d[2].kind = QZ_DEC_FUSE;
    t->n_dec = 3;
    if (!prefix) return QZ_OK;
    d[3] = (qz_dec){.kind = QZ_DEC_STRIP, .start = 1};
    t->n_dec = 4;
    return text_copy(t, " ", &d[3].text, &d[3].text_n, err);
}

static qz_status named_pipeline(qz_tokenizer *t, const qz_gguf_vocab *v, bool *add_bos, qz_error *err) {
    qz_gguf_pre p;
    const char *name = strcmp(v->model, "gpt2") != 0 ? v->model : v->pre ? v->pre : "default";
    if (!qz_gguf_pre_find(name, &p))
        return qz_fail(err, QZ_EUNSUPPORTED, "pre-tokenizer not known: file '%s', key 'tokenizer.ggml.pre': '%s'",
                       t->path, name);
    t->byte_level = !p.raw;
    t->ignore_merges = p.ignore_merges;
    t->whole_newlines = p.whole_newlines;
    *add_bos = p.add_bos;
    for (size_t i = 0; i < p.n_patterns; i++)
        QZ_TRY(qz_tok_add_split(t, p.patterns[i], strlen(p.patterns[i]), QZ_ISOLATED, false, err));
    if (p.raw) {
        t->byte_fallback = t->fuse_unk = true;
        t->unk = v->unk >= 0 ? (uint32_t)v->unk : QZ_NO_ID;
        QZ_TRY(spm_spaces(t, false, err));
        return spm_decoder(t, false, err);
    }
    t->dec[0].kind = QZ_DEC_BYTE_LEVEL;
    t->n_dec = 1;
    return QZ_OK;
}

/* Control, unknown and user-defined tokens are found in the raw text before anything else. */
static qz_status finish_by_type(qz_tokenizer *t, const qz_gguf_vocab *v, qz_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < v->n_tokens; i++) n += type_at(v, i) >= UNKNOWN && type_at(v, i) <= USER;
    qz_added *added = qz_calloc_array(n, sizeof *added);
    bool *normalized = qz_calloc_array(n, sizeof *normalized);
    qz_status st = QZ_OK;
    if (!added || !normalized) QZ_GOTO(no_memory(t->path, err));
    n = 0;
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        int32_t type = type_at(v, i);
        if (type < UNKNOWN || type > USER || !t->vocab.text[i]) continue;
        added[n++] = (qz_added){.text = t->vocab.text[i], .n = t->vocab.len[i], .id = i, .special = type != USER};
        t->vocab.flags[i] |= (uint8_t)(QZ_TOKF_ADDED | (type != USER ? QZ_TOKF_SPECIAL : 0));
    }
    st = qz_tok_finish(t, added, normalized, n, err);
out:
    qz_free(added);
    qz_free(normalized);
    return st;
}

/* What sentencepiece does before its unigram model: its table, then the blanks. */
static qz_status unigram_pipeline(qz_tokenizer *t, const qz_gguf_vocab *v, qz_error *err) {
    const bool prefix = v->add_space_prefix != 0;
    t->byte_fallback = true;
    if (v->charsmap) {
        qz_norm *m = &t->norm[t->n_norm++];
        uint8_t *blob = qz_arena_alloc(&t->arena, v->n_charsmap + 1, 1);
        if (!blob) return no_memory(t->path, err);
        memcpy(blob, v->charsmap, v->n_charsmap);
        m->kind = QZ_NORM_CHARSMAP;
        m->left = true;
        QZ_TRY(qz_charsmap_open(blob, v->n_charsmap, &m->map, t->path, err));
    }
    t->norm[t->n_norm++] = (qz_norm){.kind = QZ_NORM_SPACES, .left = prefix, .right = v->remove_extra_spaces > 0};
    return spm_decoder(t, prefix, err);
}

/* All scores: HF's pieces are all of them, sentencepiece's (by_type) the normal ones. */
static qz_status read_scores(qz_tokenizer *t, const qz_gguf_vocab *v, size_t pieces, bool by_type, qz_error *err) {
    qz_unigram *u = &t->unigram;
    if (!v->scores)
        return qz_fail(err, QZ_EFORMAT, "missing key: file '%s': expected 'tokenizer.ggml.scores' for model '%s'",
                       t->path, v->model);
    u->on = true;
    u->n_score = qz_min_size(pieces, v->n_tokens);
    u->score = qz_arena_alloc(&t->arena, u->n_score + 1, sizeof *u->score);
    if (!u->score) return no_memory(t->path, err);
    for (size_t i = 0; i < u->n_score; i++) {
        u->score[i] = by_type && type_at(v, i) != NORMAL ? (double)NAN : (double)v->scores[i];
        if (!isfinite(v->scores[i]))
            return qz_fail(err, QZ_EFORMAT,
                           "bad score: file '%s', key 'tokenizer.ggml.scores', entry %zu: expected a number, found %g",
                           t->path, i, (double)v->scores[i]);
        if (!by_type && i < t->vocab.n && t->vocab.text[i]) t->vocab.flags[i] |= QZ_TOKF_MODEL;
    }
    return QZ_OK;
}

/* What the reference takes for absent keys. */
static void default_ids(qz_gguf_vocab *v) {
    const bool spm = strcmp(v->model, "llama") == 0, unigram = strcmp(v->model, "t5") == 0;
    if (v->bos < 0 && spm) v->bos = 1;
    if (v->eos < 0 && (spm || unigram)) v->eos = spm ? 2 : 1;
    if (v->unk < 0 && (spm || unigram)) v->unk = spm ? 0 : 2;
    if (v->add_eos < 0) v->add_eos = unigram;
    int64_t *const ids[] = {&v->bos, &v->eos, &v->unk};
    for (size_t i = 0; i < 3; i++)
        if (*ids[i] >= 0 && (size_t)*ids[i] >= v->n_tokens) *ids[i] = -1;
}

static qz_status build_by_name(qz_tokenizer *t, const qz_gguf_vocab *v, qz_error *err) {
    bool add_bos = strcmp(v->model, "llama") == 0;
    if (add_bos) {
        t->byte_fallback = t->fuse_unk = true;
        t->unk = v->unk >= 0 ? (uint32_t)v->unk : QZ_NO_ID;
        QZ_TRY(spm_spaces(t, v->add_space_prefix != 0, err));
        QZ_TRY(spm_decoder(t, v->add_space_prefix != 0, err));
        QZ_TRY(score_merges(t, v, err));
    } else if (strcmp(v->model, "t5") == 0) {
        t->unk = v->unk >= 0 ? (uint32_t)v->unk : QZ_NO_ID;
        QZ_TRY(unigram_pipeline(t, v, err));
        QZ_TRY(read_scores(t, v, v->n_tokens, true, err));
    } else {
        QZ_TRY(named_pipeline(t, v, &add_bos, err));
        QZ_TRY(read_merges(t, v, err));
    }
    if (v->add_bos >= 0) add_bos = v->add_bos != 0;
    if (add_bos && v->bos >= 0) t->before[t->n_before++] = (uint32_t)v->bos;
    if (v->add_eos > 0 && v->eos >= 0) t->after[t->n_after++] = (uint32_t)v->eos;
    return finish_by_type(t, v, err);
}

/* Our own key: the source's pipeline. Merges are read for both models (the reference ignores them for "llama"). */
static qz_status build_by_pipeline(qz_tokenizer *t, const qz_gguf_vocab *v, const json_t *root, qz_error *err) {
    const json_t *m = json_object_get(root, "model");
    const char *unk = NULL;
    QZ_TRY(qz_json_bool(m, "fuse_unk", t->path, &t->fuse_unk, err));
    QZ_TRY(qz_json_bool(m, "byte_fallback", t->path, &t->byte_fallback, err));
    QZ_TRY(qz_json_bool(m, "ignore_merges", t->path, &t->ignore_merges, err));
    QZ_TRY(qz_json_str(m, "unk_token", t->path, &unk, err));
    if (unk) t->unk = qz_vocab_find(&t->vocab, unk, strlen(unk));
    t->pipeline = qz_arena_strdup(&t->arena, v->pipeline);
    if (!t->pipeline) return no_memory(t->path, err);
    if (strcmp(v->model, "t5") == 0) {
        uint64_t pieces = v->n_tokens;
        QZ_TRY(qz_json_u64(m, QZ_TOK_PIECES_KEY, t->path, &pieces, err));
        QZ_TRY(read_scores(t, v, (size_t)pieces, false, err));
        QZ_TRY(qz_tok_unknown_id(t, m, err));
    }
    QZ_TRY(read_merges(t, v, err));
    return qz_tok_build_pipeline(t, root, err);
}

static void set_special(const qz_tokenizer *t, int64_t id, int64_t *out, const char **text) {
    if (id < 0 || (size_t)id >= t->vocab.n || !t->vocab.text[id]) return;
    *out = id;
    *text = t->vocab.text[id];
}

static qz_status keep_merges(qz_tokenizer *t, const qz_gguf_vocab *v, qz_error *err) {
    t->merge_text = qz_arena_alloc(&t->arena, v->n_merges + 1, sizeof *t->merge_text);
    if (!t->merge_text) return no_memory(t->path, err);
    for (size_t i = 0; i < v->n_merges; i++) {
        char *s = qz_arena_strndup(&t->arena, v->merges[i].ptr, v->merges[i].len);
        if (!s) return no_memory(t->path, err);
        t->merge_text[t->n_merge_text++] = (qz_text_ref){s, v->merges[i].len};
    }
    return QZ_OK;
}

static bool known_model(const char *model) {
    static const char *const known[] = {"gpt2", "llama", "t5", "gemma4"};
    for (size_t i = 0; model && i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], model) == 0) return true;
    return false;
}

qz_status qz_tokenizer_from_gguf(const qz_gguf_vocab *stored, const char *name, qz_tokenizer **out, qz_error *err) {
    qz_tokenizer *t = qz_tok_new();
    json_t *root = NULL;
    qz_status st = QZ_OK;
    qz_gguf_vocab copy = *stored, *const v = &copy;
    *out = NULL;
    if (!t || !(t->path = qz_arena_strdup(&t->arena, name))) QZ_GOTO(no_memory(name, err));
    if (!known_model(v->model))
        QZ_GOTO(qz_fail(err, QZ_EUNSUPPORTED,
                        "tokenizer model not supported: file '%s', key 'tokenizer.ggml.model': expected 'gpt2', "
                        "'llama', 't5' or 'gemma4', found '%s'",
                        name, v->model ? v->model : "nothing"));
    if (!v->pipeline) default_ids(v);
    if (v->pipeline) {
        QZ_GOTO(qz_json_parse(v->pipeline, strlen(v->pipeline), name, &root, err));
        if (!json_is_object(root))
            QZ_GOTO(qz_fail(err, QZ_EFORMAT, "bad value: file '%s', key 'quantz.tokenizer.pattern'", name));
    }
    QZ_GOTO(read_tokens(t, v, json_object_get(root, "added_tokens"), err));
    QZ_GOTO(root ? build_by_pipeline(t, v, root, err) : build_by_name(t, v, err));
    QZ_GOTO(keep_merges(t, v, err));
    set_special(t, v->bos, &t->bos, &t->bos_text);
    set_special(t, v->eos, &t->eos, &t->eos_text);
    set_special(t, v->pad, &t->pad, &t->pad_text);
    set_special(t, v->unk, &t->unk_special, &t->unk_text);
    if (v->chat_template && !(t->chat_template = qz_arena_strdup(&t->arena, v->chat_template)))
        QZ_GOTO(no_memory(name, err));
    *out = t;
    t = NULL;
out:
    json_decref(root);
    qz_tokenizer_free(t);
    return st;
}
