/* Tokenizers of GGUF files: metadata -> tokenizer and back (formats/gguf-tokenizer.md).
 * deviates: the reference chooses `pre` by the hash of one encoded text, which knows no retrained tokenizer; we compare
 * patterns. deviates: scores of a byte-fallback BPE without sentencepiece file are -(merge rank), not -1000 for all. */
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/size.h"
#include "text/gguf_pre.h"
#include "text/tokenizer_int.h"
#include "base/utf8.h"

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER = 4, UNUSED = 5, BYTE = 6 };
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
static qz_status spm_pipeline(qz_tokenizer *t, bool prefix, qz_error *err) {
    qz_norm *m = &t->norm[t->n_norm];
    qz_dec *d = t->dec;
    if (prefix) {
        m->kind = QZ_NORM_PREPEND;
        QZ_TRY(text_copy(t, mark, &m->to, &m->to_n, err));
        m++;
    }
    m->kind = QZ_NORM_REPLACE;
    QZ_TRY(text_copy(t, " ", &m->from, &m->from_n, err));
    QZ_TRY(text_copy(t, mark, &m->to, &m->to_n, err));
    t->n_norm += prefix ? 2 : 1;
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
    const char *name = v->pre ? v->pre : "default";
    if (!qz_gguf_pre_find(name, &p))
        return qz_fail(err, QZ_EUNSUPPORTED, "pre-tokenizer not known: file '%s', key 'tokenizer.ggml.pre': '%s'",
                       t->path, name);
    t->byte_level = true;
    t->ignore_merges = p.ignore_merges;
    *add_bos = p.add_bos;
    for (size_t i = 0; i < p.n_patterns; i++)
        QZ_TRY(qz_tok_add_split(t, p.patterns[i], strlen(p.patterns[i]), QZ_ISOLATED, false, err));
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

static qz_status build_by_name(qz_tokenizer *t, const qz_gguf_vocab *v, qz_error *err) {
    bool spm = strcmp(v->model, "llama") == 0, add_bos = spm;
    if (spm) {
        t->byte_fallback = t->fuse_unk = true;
        t->unk = v->unk >= 0 ? (uint32_t)v->unk : v->n_tokens ? 0 : QZ_NO_ID;
        QZ_TRY(spm_pipeline(t, v->add_space_prefix != 0, err));
        QZ_TRY(score_merges(t, v, err));
    } else {
        QZ_TRY(named_pipeline(t, v, &add_bos, err));
        QZ_TRY(read_merges(t, v, err));
    }
    if (v->add_bos >= 0) add_bos = v->add_bos != 0;
    int64_t bos = v->bos < 0 && spm ? 1 : v->bos, eos = v->eos < 0 && spm ? 2 : v->eos;
    if (add_bos && bos >= 0 && (size_t)bos < v->n_tokens) t->before[t->n_before++] = (uint32_t)bos;
    if (v->add_eos > 0 && eos >= 0 && (size_t)eos < v->n_tokens) t->after[t->n_after++] = (uint32_t)eos;
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

qz_status qz_tokenizer_from_gguf(const qz_gguf_vocab *v, const char *name, qz_tokenizer **out, qz_error *err) {
    qz_tokenizer *t = qz_tok_new();
    json_t *root = NULL;
    qz_status st = QZ_OK;
    bool spm = v->model && strcmp(v->model, "llama") == 0;
    *out = NULL;
    if (!t || !(t->path = qz_arena_strdup(&t->arena, name))) QZ_GOTO(no_memory(name, err));
    if (!v->model || (!spm && strcmp(v->model, "gpt2") != 0))
        QZ_GOTO(
            qz_fail(err, QZ_EUNSUPPORTED,
                    "tokenizer model not supported: file '%s', key 'tokenizer.ggml.model': expected 'gpt2' or 'llama', "
                    "found '%s'",
                    name, v->model ? v->model : "nothing"));
    if (v->pipeline) {
        QZ_GOTO(qz_json_parse(v->pipeline, strlen(v->pipeline), name, &root, err));
        if (!json_is_object(root))
            QZ_GOTO(qz_fail(err, QZ_EFORMAT, "bad value: file '%s', key 'quantz.tokenizer.pattern'", name));
    }
    QZ_GOTO(read_tokens(t, v, json_object_get(root, "added_tokens"), err));
    QZ_GOTO(root ? build_by_pipeline(t, v, root, err) : build_by_name(t, v, err));
    QZ_GOTO(keep_merges(t, v, err));
    set_special(t, v->bos < 0 && spm && !root ? 1 : v->bos, &t->bos, &t->bos_text);
    set_special(t, v->eos < 0 && spm && !root ? 2 : v->eos, &t->eos, &t->eos_text);
    set_special(t, v->pad, &t->pad, &t->pad_text);
    set_special(t, v->unk < 0 && spm && !root ? 0 : v->unk, &t->unk_special, &t->unk_text);
    if (v->chat_template && !(t->chat_template = qz_arena_strdup(&t->arena, v->chat_template)))
        QZ_GOTO(no_memory(name, err));
    *out = t;
    t = NULL;
out:
    json_decref(root);
    qz_tokenizer_free(t);
    return st;
}

/* ---- writing ---- */
/* Texts that the reference takes for control tokens even when they are not marked special. */
static bool looks_special(const char *s, size_t n) {
    static const char *const whole[] = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};
    for (size_t i = 0; i < 4; i++)
        if (strlen(whole[i]) == n && memcmp(whole[i], s, n) == 0) return true;
    if (n >= 4 && memcmp(s, "<|", 2) == 0 && memcmp(s + n - 2, "|>", 2) == 0) return true;
    if (n >= 8 && memcmp(s, "<\xef\xbd\x9c", 4) == 0 && memcmp(s + n - 4, "\xef\xbd\x9c>", 4) == 0) return true;
    return n >= 8 && memcmp(s, "<unused", 7) == 0 && s[n - 1] == '>';
}

static bool is_byte_token(const char *s, size_t n) { return n == 6 && memcmp(s, "<0x", 3) == 0 && s[5] == '>'; }

/* Spaces instead of U+2581 in a user-defined token. */
static const char *with_spaces(qz_arena *a, const char *s, size_t *n) {
    char *out = qz_arena_strndup(a, s, *n);
    size_t k = 0;
    for (size_t i = 0; out && i < *n;) {
        bool m = i + 3 <= *n && memcmp(s + i, mark, 3) == 0;
        out[k++] = m ? ' ' : s[i];
        i += m ? 3 : 1;
    }
    if (out) out[k] = 0;
    *n = k;
    return out;
}

static bool taken(const qz_tokenizer *t, const char *s, size_t n, uint32_t id) {
    uint32_t have = qz_vocab_find(&t->vocab, s, n);
    return have != QZ_NO_ID && have != id; /* the reference asserts that texts differ */
}

static qz_status write_token(const qz_tokenizer *t, uint32_t id, qz_arena *a, qz_text_ref *text, int32_t *type,
                             qz_error *err) {
    size_t n = 0;
    const char *s = qz_tokenizer_token(t, id, &n);
    *type = NORMAL;
    if (!s) {
        *type = UNUSED;
        s = qz_arena_printf(a, "[PAD%u]", id);
        for (uint32_t k = 1; s && qz_vocab_find(&t->vocab, s, strlen(s)) != QZ_NO_ID; k++)
            s = qz_arena_printf(a, "[PAD%u.%u]", id, k);
        n = s ? strlen(s) : 0;
    } else if (t->vocab.flags[id] & QZ_TOKF_ADDED) {
        bool special = (t->vocab.flags[id] & QZ_TOKF_SPECIAL) || looks_special(s, n);
        *type = special ? CONTROL : USER;
        if (!special) {
            size_t k = n;
            const char *spaced = with_spaces(a, s, &k);
            if (!spaced) return no_memory(t->path, err);
            if (!taken(t, spaced, k, id)) s = spaced, n = k;
        }
    } else if (!t->byte_level && id == t->unk) {
        *type = UNKNOWN;
    } else if (!t->byte_level && is_byte_token(s, n)) {
        *type = BYTE;
    }
    if (!s) return no_memory(t->path, err);
    *text = (qz_text_ref){s, n};
    return QZ_OK;
}

static qz_status write_scores(const qz_tokenizer *t, size_t n, const int32_t *types, qz_arena *a, const float **out,
                              qz_error *err) {
    float *s = qz_arena_calloc(a, n + 1, sizeof *s);
    if (!s) return no_memory(t->path, err);
    for (size_t i = 0; i < n; i++)
        s[i] = types[i] == UNUSED                        ? -10000.0f
               : types[i] == CONTROL || types[i] == USER ? -1000.0f - (float)t->n_merge_text
                                                         : 0.0f;
    for (size_t i = 0; i < t->merges.n_slots; i++) {
        const qz_merge *m = &t->merges.slots[i];
        if (m->key == UINT64_MAX || m->id >= n || types[m->id] != NORMAL) continue;
        float score = -1.0f - (float)m->rank;
        if (s[m->id] == 0.0f || score > s[m->id]) s[m->id] = score; /* the earliest merge that makes the token */
    }
    *out = s;
    return QZ_OK;
}

static qz_status choose_pre(const qz_tokenizer *t, const char *forced, qz_gguf_vocab *out, qz_error *err) {
    qz_str shown = {0};
    qz_gguf_pre known;
    qz_status st = QZ_OK;
    if (forced && !qz_gguf_pre_find(forced, &known))
        return qz_fail(err, QZ_EUSAGE,
                       "pre-tokenizer name not known: '%s'; names are those of tokenizer.ggml.pre (gpt-2, llama-bpe, "
                       "qwen2, …)",
                       forced);
    out->pre = qz_gguf_pre_detect(t, &shown);
    if (!out->pre && forced) {
        out->pre = known.name;
        out->pre_fallback = true;
    }
    if (!out->pre)
        st = qz_fail(err, QZ_EUNSUPPORTED,
                     "no GGUF name for this pre-tokenizer: file '%s': pattern '%.400s'%s; choose one with --pre NAME "
                     "(the "
                     "runtime will then split differently)",
                     t->path, shown.ptr ? shown.ptr : "", t->ignore_merges ? " with ignore_merges" : "");
    qz_str_release(&shown);
    return st;
}

/* A prefix space: Prepend normalizer, or Metaspace that is not "never". */
static bool has_space_prefix(const qz_tokenizer *t) {
    for (size_t i = 0; i < t->n_norm; i++)
        if (t->norm[i].kind == QZ_NORM_PREPEND) return true;
    for (size_t i = 0; i < t->n_pre; i++)
        if (t->pre[i].kind == QZ_PRE_METASPACE && t->pre[i].prepend != QZ_PREPEND_NEVER) return true;
    return false;
}

qz_status qz_tokenizer_to_gguf(const qz_tokenizer *t, size_t vocab_size, const char *forced_pre, qz_arena *arena,
                               qz_gguf_vocab *out, qz_error *err) {
    *out = (qz_gguf_vocab){.model = t->byte_level ? "gpt2" : "llama", .pre = "default", .add_space_prefix = -1};
    if (!t->byte_level && !t->byte_fallback)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "tokenizer has no GGUF form: file '%s': neither byte-level nor byte-fallback BPE", t->path);
    if (t->vocab.n > vocab_size)
        return qz_fail(err, QZ_EFORMAT,
                       "tokenizer larger than the model: file '%s': highest id %zu, but the embedding has %zu rows",
                       t->path, t->vocab.n - 1, vocab_size);
    qz_text_ref *tokens = qz_arena_alloc(arena, vocab_size + 1, sizeof *tokens);
    int32_t *types = qz_arena_alloc(arena, vocab_size + 1, sizeof *types);
    if (!tokens || !types) return no_memory(t->path, err);
    for (uint32_t i = 0; i < vocab_size; i++) QZ_TRY(write_token(t, i, arena, &tokens[i], &types[i], err));
    out->tokens = tokens;
    out->types = types;
    out->n_tokens = vocab_size;
    if (t->byte_level) {
        QZ_TRY(choose_pre(t, forced_pre, out, err));
    } else {
        out->add_space_prefix = has_space_prefix(t);
        QZ_TRY(write_scores(t, vocab_size, types, arena, &out->scores, err));
    }
    out->merges = t->merge_text;
    out->n_merges = t->n_merge_text;
    out->bos = t->bos < 0 && t->n_before ? (int64_t)t->before[0] : t->bos;
    out->eos = t->eos < 0 && t->n_after ? (int64_t)t->after[t->n_after - 1] : t->eos;
    out->pad = t->pad;
    out->unk = t->unk_special >= 0 ? t->unk_special : t->unk != QZ_NO_ID ? (int64_t)t->unk : -1;
    out->add_bos = t->n_before > 0 && (int64_t)t->before[0] == out->bos;
    out->add_eos = t->n_after > 0 && (int64_t)t->after[t->n_after - 1] == out->eos;
    out->chat_template = t->chat_template;
    out->pipeline = t->pipeline;
    return QZ_OK;
}
