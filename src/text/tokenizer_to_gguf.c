/* A tokenizer as GGUF metadata (formats/gguf-tokenizer.md section 2).
 * deviates: the reference chooses `pre` by the hash of one encoded text, which knows no retrained tokenizer; we compare
 * patterns. deviates: scores of a byte-fallback BPE without sentencepiece file are -(merge rank), not -1000 for all. */
#include <string.h>
#include "base/size.h"
#include "text/gguf_pre.h"
#include "text/tokenizer_int.h"

enum { NORMAL = QZ_GGUF_NORMAL, UNKNOWN = QZ_GGUF_UNKNOWN, CONTROL = QZ_GGUF_CONTROL, USER = QZ_GGUF_USER,
       UNUSED = QZ_GGUF_UNUSED, BYTE = QZ_GGUF_BYTE };
static const char mark[] = "\xe2\x96\x81"; /* U+2581 stands for a space */

static qz_status no_memory(const char *name, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory for the tokenizer of '%s'", name);
}

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

/* Those of the model; what it has none for is out of the way. */
static void unigram_scores(const qz_tokenizer *t, size_t n, const int32_t *types, float *s) {
    const qz_unigram *u = &t->unigram;
    for (size_t i = 0; i < n; i++) {
        const bool piece = i < u->n_score && types[i] != UNUSED;
        s[i] = types[i] == UNUSED ? -10000.0f : !piece ? -1000.0f : u->score[i] == u->score[i] ? (float)u->score[i] : 0;
    }
}

static qz_status write_scores(const qz_tokenizer *t, size_t n, const int32_t *types, qz_arena *a, const float **out,
                              qz_error *err) {
    float *s = qz_arena_calloc(a, n + 1, sizeof *s);
    if (!s) return no_memory(t->path, err);
    *out = s;
    if (t->unigram.on) {
        unigram_scores(t, n, types, s);
        return QZ_OK;
    }
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
    return QZ_OK;
}

static qz_status choose_pre(const qz_tokenizer *t, qz_gguf_pre_wish wish, qz_gguf_vocab *out, qz_error *err) {
    qz_str shown = {0};
    qz_gguf_pre known;
    qz_status st = QZ_OK;
    const char *forced = wish.forced;
    if (forced && (!qz_gguf_pre_find(forced, &known) || known.raw))
        return qz_fail(err, QZ_EUSAGE,
                       "pre-tokenizer name not known: '%s'; names are those of tokenizer.ggml.pre (gpt-2, llama-bpe, "
                       "qwen2, …)",
                       forced);
    out->pre = qz_gguf_pre_detect(t, wish.usual, &shown);
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
        if (t->norm[i].kind == QZ_NORM_PREPEND || (t->norm[i].kind == QZ_NORM_SPACES && t->norm[i].left)) return true;
    for (size_t i = 0; i < t->n_pre; i++)
        if (t->pre[i].kind == QZ_PRE_METASPACE && t->pre[i].prepend != QZ_PREPEND_NEVER) return true;
    return false;
}

/* True for BPE over characters whose only normalizer is U+2581 for blanks and whose words are the whole text: what the
 * raw names of gguf_pre.def say, with the list of merges itself instead of scores. */
static bool is_raw(const qz_tokenizer *t) {
    if (t->byte_level || t->unigram.on || t->ignore_merges || t->n_norm != 1) return false;
    const qz_norm *m = &t->norm[0];
    if (m->kind != QZ_NORM_REPLACE || m->re.code || m->from_n != 1 || *m->from != ' ' || strcmp(m->to, mark) != 0)
        return false;
    for (size_t i = 0; i < t->n_pre; i++) /* a split at blanks, none of which is left, and reading's own at line ends */
        if ((t->pre[i].kind != QZ_PRE_LITERAL || strcmp(t->pre[i].text, " ") != 0) && !t->whole_newlines) return false;
    return true;
}

/* Tokens that the reference shows in its output although they are special: its parser of calls reads them. */
static void show_tokens(const qz_text_ref *tokens, int32_t *types, size_t n) {
    static const char *const shown[] = {"<|channel>",      "<channel|>",      "<|tool_call>", "<tool_call|>",
                                        "<|tool_response>", "<tool_response|>", "<|\"|>"};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof shown / sizeof *shown; k++)
            if (types[i] == CONTROL && tokens[i].len == strlen(shown[k]) &&
                memcmp(tokens[i].ptr, shown[k], tokens[i].len) == 0)
                types[i] = USER;
}

static void unigram_keys(const qz_tokenizer *t, qz_gguf_vocab *out) {
    out->remove_extra_spaces = 0;
    for (size_t i = 0; i < t->n_norm; i++) {
        const qz_norm *m = &t->norm[i];
        if (m->kind == QZ_NORM_CHARSMAP) out->charsmap = m->map.blob, out->n_charsmap = m->map.n;
        const bool merges = m->kind == QZ_NORM_REPLACE && m->re.code && strcmp(m->from, " {2,}") == 0;
        if (merges || (m->kind == QZ_NORM_SPACES && m->right)) out->remove_extra_spaces = 1;
    }
}

/* The model's name and what goes with it: pre-tokenizer, scores, flags of spaces. */
static qz_status write_model(const qz_tokenizer *t, qz_gguf_pre_wish wish, qz_arena *arena, qz_text_ref *tokens,
                             int32_t *types, qz_gguf_vocab *out, qz_error *err) {
    qz_gguf_pre usual;
    if (t->byte_level) {
        out->model = "gpt2";
        return choose_pre(t, wish, out, err);
    }
    out->add_space_prefix = has_space_prefix(t);
    out->model = t->unigram.on ? "t5" : "llama";
    if (t->unigram.on) unigram_keys(t, out);
    QZ_TRY(write_scores(t, out->n_tokens, types, arena, &out->scores, err));
    if (wish.usual && qz_gguf_pre_find(wish.usual, &usual) && usual.raw && is_raw(t)) {
        out->model = usual.name; /* the loader's name of the model says the pre-tokenizer as well */
        out->pre = NULL;
        show_tokens(tokens, types, out->n_tokens);
    }
    return QZ_OK;
}

qz_status qz_tokenizer_to_gguf(const qz_tokenizer *t, size_t vocab_size, qz_gguf_pre_wish wish, qz_arena *arena,
                               qz_gguf_vocab *out, qz_error *err) {
    *out = (qz_gguf_vocab){.pre = "default", .add_space_prefix = -1, .remove_extra_spaces = -1};
    if (!t->byte_level && !t->byte_fallback && !t->unigram.on)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "tokenizer has no GGUF form: file '%s': neither byte-level nor byte-fallback BPE nor unigram",
                       t->path);
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
    QZ_TRY(write_model(t, wish, arena, tokens, types, out, err));
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
