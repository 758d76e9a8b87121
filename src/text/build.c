/* Building a tokenizer from the objects of tokenizer.json: normalizer, pre-tokenizer, decoder, post-processor, added
 * tokens (formats/tokenizer-json.md). Whatever is not understood is refused by name. */
#include <string.h>
#include "base/json.h"
#include "base/size.h"
#include "text/added.h"
#include "text/tokenizer_int.h"
#include "base/utf8.h"

#define MAX_DEPTH 8
#define GPT2_PATTERN "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
static const char space_pattern[] = "\\s";
static const char word_pattern[] = "[\\p{L}\\p{Nl}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}\\x{24B6}-\\x{24E9}\\x{1F130}-"
                                   "\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}]+"
                                   "|[^\\s\\p{L}\\p{Nl}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}\\x{24B6}-\\x{24E9}\\x{"
                                   "1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}]+";

qz_tokenizer *qz_tok_new(void) {
    qz_tokenizer *t = qz_calloc_array(1, sizeof *t);
    if (!t) return NULL;
    t->unk = QZ_NO_ID;
    t->bos = t->eos = t->pad = t->unk_special = -1;
    t->add_bos_set = t->clean_spaces = -1;
    memset(t->byte_ids, 0xff, sizeof t->byte_ids);
    memset(t->ascii_ids, 0xff, sizeof t->ascii_ids);
    return t;
}

static qz_status no_memory(const qz_tokenizer *t, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory while loading tokenizer '%s'", t->path);
}

static qz_status bad(const qz_tokenizer *t, const char *part, const char *what, qz_error *err) {
    return qz_fail(err, QZ_EFORMAT, "bad %s: file '%s': %s", part, t->path, what);
}

static const char *type_of(const json_t *j) {
    const char *s = json_string_value(json_object_get(j, "type"));
    return s ? s : "";
}

static qz_status text_of(qz_tokenizer *t, const json_t *j, const char *key, const char **s, size_t *n, qz_error *err) {
    const json_t *v = json_object_get(j, key);
    if (!json_is_string(v))
        return qz_fail(err, QZ_EFORMAT, "missing value: file '%s': expected a string under '%s' of %s", t->path, key,
                       type_of(j));
    *n = json_string_length(v);
    *s = qz_arena_strndup(&t->arena, json_string_value(v), *n);
    return *s ? QZ_OK : no_memory(t, err);
}

/* {"String": s} or {"Regex": r}: exactly one of *s and re is filled. */
static qz_status pattern_of(qz_tokenizer *t, const json_t *j, const char **s, size_t *n, bool *is_regex,
                            qz_error *err) {
    const json_t *p = json_object_get(j, "pattern");
    *is_regex = json_is_string(json_object_get(p, "Regex"));
    return text_of(t, p, *is_regex ? "Regex" : "String", s, n, err);
}

/* ---- normalizer ---- */
static qz_status build_replace(qz_tokenizer *t, const json_t *j, qz_norm *m, qz_error *err) {
    bool regex;
    m->kind = QZ_NORM_REPLACE;
    QZ_TRY(pattern_of(t, j, &m->from, &m->from_n, &regex, err));
    QZ_TRY(text_of(t, j, "content", &m->to, &m->to_n, err));
    /* "" is found everywhere */
    return regex || m->from_n == 0 ? qz_regex_compile(m->from, m->from_n, &m->re, t->path, err) : QZ_OK;
}

qz_status qz_tok_build_normalizer(qz_tokenizer *t, const json_t *j, size_t depth, qz_error *err) {
    static const struct { const char *name; qz_norm_kind kind; } simple[] = {
        {"NFC", QZ_NORM_NFC}, {"NFD", QZ_NORM_NFD}, {"NFKC", QZ_NORM_NFKC}, {"NFKD", QZ_NORM_NFKD},
        {"Lowercase", QZ_NORM_LOWER}, {"StripAccents", QZ_NORM_ACCENTS}};
    const char *type = type_of(j);
    if (!j || json_is_null(j)) return QZ_OK;
    if (depth > MAX_DEPTH) return bad(t, "normalizer", "nested too deeply", err);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(j, "normalizers");
        for (size_t i = 0; i < json_array_size(list); i++)
            QZ_TRY(qz_tok_build_normalizer(t, json_array_get(list, i), depth + 1, err));
        return QZ_OK;
    }
    if (t->n_norm == QZ_TOK_MAX_STEPS) return bad(t, "normalizer", "too many steps", err);
    qz_norm *m = &t->norm[t->n_norm];
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
        if (strcmp(type, simple[i].name) != 0) continue;
        m->kind = simple[i].kind;
        t->n_norm++;
        return QZ_OK;
    }
    t->n_norm++; /* before compiling: the step owns its pattern */
    if (strcmp(type, "Replace") == 0) return build_replace(t, j, m, err);
    if (strcmp(type, "Prepend") == 0) {
        m->kind = QZ_NORM_PREPEND;
        return text_of(t, j, "prepend", &m->to, &m->to_n, err);
    }
    if (strcmp(type, "Strip") == 0) {
        m->kind = QZ_NORM_STRIP;
        QZ_TRY(qz_json_bool(j, "strip_left", t->path, &m->left, err));
        return qz_json_bool(j, "strip_right", t->path, &m->right, err);
    }
    if (strcmp(type, "Precompiled") == 0) {
        const char *s = NULL;
        size_t n = 0;
        m->kind = QZ_NORM_CHARSMAP;
        QZ_TRY(text_of(t, j, "precompiled_charsmap", &s, &n, err));
        return qz_charsmap_of_text(s, n, &t->arena, &m->map, t->path, err);
    }
    t->n_norm--;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "unknown normalizer: file '%s', key 'normalizer': expected Sequence, NFC, NFD, NFKC, NFKD, "
                   "Lowercase, StripAccents, Replace, "
                   "Prepend, Precompiled or Strip, found '%.60s'; use a tokenizer.json without it",
                   t->path, type);
}

/* ---- pre-tokenizer ---- */
static qz_status new_pre(qz_tokenizer *t, qz_pre **out, qz_error *err) {
    if (t->n_pre == QZ_TOK_MAX_STEPS) return bad(t, "pre_tokenizer", "too many steps", err);
    *out = &t->pre[t->n_pre++];
    return QZ_OK;
}

qz_status qz_tok_add_split(qz_tokenizer *t, const char *pattern, size_t n, qz_split_behavior b, bool invert,
                           qz_error *err) {
    qz_pre *p = NULL;
    QZ_TRY(new_pre(t, &p, err));
    p->kind = QZ_PRE_SPLIT;
    p->behavior = b;
    p->invert = invert;
    p->text = qz_arena_strndup(&t->arena, pattern, n);
    p->text_n = n;
    if (!p->text) return no_memory(t, err);
    return qz_regex_compile(pattern, n, &p->re, t->path, err);
}

static qz_status behavior_of(const qz_tokenizer *t, const json_t *j, qz_split_behavior *out, qz_error *err) {
    static const char *const names[] = {"Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"};
    const char *s = "Isolated";
    QZ_TRY(qz_json_str(j, "behavior", t->path, &s, err));
    for (size_t i = 0; i < 5; i++) {
        if (strcmp(s, names[i]) != 0) continue;
        *out = (qz_split_behavior)i;
        return QZ_OK;
    }
    return qz_fail(err, QZ_EFORMAT, "unknown split behavior: file '%s': '%s'", t->path, s);
}

static qz_status build_split(qz_tokenizer *t, const json_t *j, qz_error *err) {
    const char *s;
    size_t n;
    bool regex, invert = false;
    qz_split_behavior b = QZ_ISOLATED;
    QZ_TRY(behavior_of(t, j, &b, err));
    QZ_TRY(qz_json_bool(j, "invert", t->path, &invert, err));
    QZ_TRY(pattern_of(t, j, &s, &n, &regex, err));
    if (regex || n == 0) return qz_tok_add_split(t, s, n, b, invert, err); /* "" is found everywhere */
    qz_pre *p = NULL;
    QZ_TRY(new_pre(t, &p, err));
    *p = (qz_pre){.kind = QZ_PRE_LITERAL, .behavior = b, .invert = invert, .text = s, .text_n = n};
    return QZ_OK;
}

static qz_status build_byte_level(qz_tokenizer *t, const json_t *j, qz_error *err) {
    bool prefix = true, regex = true;
    QZ_TRY(qz_json_bool(j, "add_prefix_space", t->path, &prefix, err));
    QZ_TRY(qz_json_bool(j, "use_regex", t->path, &regex, err));
    if (prefix) {
        qz_pre *p = NULL;
        QZ_TRY(new_pre(t, &p, err));
        p->kind = QZ_PRE_PREFIX_SPACE;
    }
    if (regex) {
        QZ_TRY(qz_tok_add_split(t, GPT2_PATTERN, sizeof GPT2_PATTERN - 1, QZ_ISOLATED, false, err));
        t->pre[t->n_pre - 1].gpt2 = true;
    }
    t->byte_level = true;
    return QZ_OK;
}

static qz_status build_metaspace(qz_tokenizer *t, const json_t *j, qz_error *err) {
    qz_pre *p = NULL;
    bool split = true, prefix = true;
    const char *scheme = NULL;
    QZ_TRY(new_pre(t, &p, err));
    p->kind = QZ_PRE_METASPACE;
    QZ_TRY(text_of(t, j, "replacement", &p->text, &p->text_n, err));
    QZ_TRY(qz_json_bool(j, "split", t->path, &split, err));
    QZ_TRY(qz_json_bool(j, "add_prefix_space", t->path, &prefix, err));
    QZ_TRY(qz_json_str(j, "prepend_scheme", t->path, &scheme, err));
    p->behavior = split ? QZ_MERGED_NEXT : QZ_ISOLATED;
    p->prepend = !scheme                        ? (prefix ? QZ_PREPEND_ALWAYS : QZ_PREPEND_NEVER)
                 : strcmp(scheme, "first") == 0 ? QZ_PREPEND_FIRST
                 : strcmp(scheme, "never") == 0 ? QZ_PREPEND_NEVER
                                                : QZ_PREPEND_ALWAYS;
    return p->text_n ? QZ_OK : bad(t, "pre_tokenizer", "empty replacement", err);
}

static qz_status build_char_split(qz_tokenizer *t, const json_t *j, qz_error *err) {
    qz_pre *p = NULL;
    QZ_TRY(new_pre(t, &p, err));
    p->kind = QZ_PRE_LITERAL;
    p->behavior = QZ_REMOVED;
    return text_of(t, j, "delimiter", &p->text, &p->text_n, err);
}

qz_status qz_tok_build_pre(qz_tokenizer *t, const json_t *j, size_t depth, qz_error *err) {
    static const char digit[] = "\\p{N}", punct[] = "[\\p{P}$+<=>^`|~]";
    const char *type = type_of(j);
    if (!j || json_is_null(j)) return QZ_OK;
    if (depth > MAX_DEPTH) return bad(t, "pre_tokenizer", "nested too deeply", err);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(j, "pretokenizers");
        for (size_t i = 0; i < json_array_size(list); i++)
            QZ_TRY(qz_tok_build_pre(t, json_array_get(list, i), depth + 1, err));
        return QZ_OK;
    }
    if (t->byte_level)
        return qz_fail(err, QZ_EUNSUPPORTED, "pre-tokenizer after ByteLevel not supported: file '%s': '%s'", t->path,
                       type);
    if (strcmp(type, "Split") == 0) return build_split(t, j, err);
    if (strcmp(type, "ByteLevel") == 0) return build_byte_level(t, j, err);
    if (strcmp(type, "Metaspace") == 0) return build_metaspace(t, j, err);
    if (strcmp(type, "CharDelimiterSplit") == 0) return build_char_split(t, j, err);
    if (strcmp(type, "Whitespace") == 0)
        return qz_tok_add_split(t, word_pattern, sizeof word_pattern - 1, QZ_REMOVED, true, err);
    if (strcmp(type, "WhitespaceSplit") == 0)
        return qz_tok_add_split(t, space_pattern, sizeof space_pattern - 1, QZ_REMOVED, false, err);
    if (strcmp(type, "Punctuation") == 0) {
        qz_split_behavior b = QZ_ISOLATED;
        QZ_TRY(behavior_of(t, j, &b, err));
        return qz_tok_add_split(t, punct, sizeof punct - 1, b, false, err);
    }
    if (strcmp(type, "Digits") == 0) {
        bool each = false;
        QZ_TRY(qz_json_bool(j, "individual_digits", t->path, &each, err));
        return qz_tok_add_split(t, digit, sizeof digit - 1, each ? QZ_ISOLATED : QZ_CONTIGUOUS, false, err);
    }
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "unknown pre-tokenizer: file '%s', key 'pre_tokenizer': expected Sequence, Split, ByteLevel, "
                   "Metaspace, CharDelimiterSplit, "
                   "Whitespace, WhitespaceSplit, Punctuation or Digits, found '%.60s'; use a tokenizer.json without it",
                   t->path, type);
}

/* ---- decoder ---- */
static qz_status build_strip_decoder(qz_tokenizer *t, const json_t *j, qz_dec *d, qz_error *err) {
    uint64_t start = 0, stop = 0;
    d->kind = QZ_DEC_STRIP;
    QZ_TRY(text_of(t, j, "content", &d->text, &d->text_n, err));
    QZ_TRY(qz_json_u64(j, "start", t->path, &start, err));
    QZ_TRY(qz_json_u64(j, "stop", t->path, &stop, err));
    d->start = (size_t)start, d->stop = (size_t)stop;
    return d->text_n ? QZ_OK : bad(t, "decoder", "Strip without content", err);
}

qz_status qz_tok_build_decoder(qz_tokenizer *t, const json_t *j, size_t depth, qz_error *err) {
    const char *type = type_of(j);
    if (!j || json_is_null(j)) return QZ_OK;
    if (depth > MAX_DEPTH) return bad(t, "decoder", "nested too deeply", err);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(j, "decoders");
        for (size_t i = 0; i < json_array_size(list); i++)
            QZ_TRY(qz_tok_build_decoder(t, json_array_get(list, i), depth + 1, err));
        return QZ_OK;
    }
    if (t->n_dec == QZ_TOK_MAX_STEPS) return bad(t, "decoder", "too many steps", err);
    qz_dec *d = &t->dec[t->n_dec++];
    d->kind = QZ_DEC_FUSE;
    if (strcmp(type, "Fuse") == 0) return QZ_OK;
    if (strcmp(type, "Strip") == 0) return build_strip_decoder(t, j, d, err);
    if (strcmp(type, "ByteLevel") == 0 || strcmp(type, "ByteFallback") == 0) {
        d->kind = type[4] == 'L' ? QZ_DEC_BYTE_LEVEL : QZ_DEC_BYTE_FALLBACK;
        return QZ_OK;
    }
    if (strcmp(type, "Replace") == 0) {
        d->kind = QZ_DEC_REPLACE;
        return build_replace(t, j, &d->replace, err);
    }
    if (strcmp(type, "Metaspace") == 0) {
        const char *scheme = "always";
        bool prefix = true;
        d->kind = QZ_DEC_METASPACE;
        QZ_TRY(qz_json_str(j, "prepend_scheme", t->path, &scheme, err));
        QZ_TRY(qz_json_bool(j, "add_prefix_space", t->path, &prefix, err));
        d->keep_first = strcmp(scheme, "never") == 0 || !prefix;
        return text_of(t, j, "replacement", &d->text, &d->text_n, err);
    }
    t->n_dec--;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "unknown decoder: file '%s', key 'decoder': expected Sequence, Fuse, Strip, ByteLevel, "
                   "ByteFallback, Replace or Metaspace, "
                   "found '%.60s'; use a tokenizer.json without it",
                   t->path, type);
}

/* ---- post-processor ---- */
static qz_status fixed_id(qz_tokenizer *t, const json_t *id, bool before, qz_error *err) {
    size_t *n = before ? &t->n_before : &t->n_after;
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= (json_int_t)t->vocab.n)
        return bad(t, "post_processor", "a template token has no valid id", err);
    if (*n == QZ_TOK_MAX_FIX) return bad(t, "post_processor", "too many template tokens", err);
    (before ? t->before : t->after)[(*n)++] = (uint32_t)json_integer_value(id);
    return QZ_OK;
}

static qz_status build_template(qz_tokenizer *t, const json_t *j, qz_error *err) {
    const json_t *single = json_object_get(j, "single"), *specials = json_object_get(j, "special_tokens");
    bool before = true;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i), *sp = json_object_get(item, "SpecialToken");
        if (json_object_get(item, "Sequence")) {
            before = false;
            continue;
        }
        const char *name = json_string_value(json_object_get(sp, "id"));
        const json_t *ids = name ? json_object_get(json_object_get(specials, name), "ids") : NULL;
        if (!json_is_array(ids))
            return bad(t, "post_processor", "a template token is missing from special_tokens", err);
        for (size_t k = 0; k < json_array_size(ids); k++) QZ_TRY(fixed_id(t, json_array_get(ids, k), before, err));
    }
    return QZ_OK;
}

qz_status qz_tok_build_post(qz_tokenizer *t, const json_t *j, size_t depth, qz_error *err) {
    const char *type = type_of(j);
    if (!j || json_is_null(j)) return QZ_OK;
    if (depth > MAX_DEPTH) return bad(t, "post_processor", "nested too deeply", err);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(j, "processors");
        for (size_t i = 0; i < json_array_size(list); i++)
            QZ_TRY(qz_tok_build_post(t, json_array_get(list, i), depth + 1, err));
        return QZ_OK;
    }
    if (strcmp(type, "ByteLevel") == 0) return QZ_OK;
    if (strcmp(type, "TemplateProcessing") == 0) return build_template(t, j, err);
    if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0) {
        QZ_TRY(fixed_id(t, json_array_get(json_object_get(j, "cls"), 1), true, err));
        return fixed_id(t, json_array_get(json_object_get(j, "sep"), 1), false, err);
    }
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "unknown post-processor: file '%s', key 'post_processor': expected Sequence, ByteLevel, "
                   "TemplateProcessing, BertProcessing or "
                   "RobertaProcessing, found '%.60s'; use a tokenizer.json without it",
                   t->path, type);
}

/* ---- merges, tables, added tokens ---- */
bool qz_tok_merge(qz_tokenizer *t, const char *l, size_t nl, const char *r, size_t nr, uint32_t rank, qz_str *tmp) {
    uint32_t a = qz_vocab_find(&t->vocab, l, nl), b = qz_vocab_find(&t->vocab, r, nr);
    qz_str_clear(tmp);
    qz_str_append(tmp, l, nl);
    qz_str_append(tmp, r, nr);
    uint32_t ab = tmp->ptr && !tmp->failed ? qz_vocab_find(&t->vocab, tmp->ptr, tmp->len) : QZ_NO_ID;
    if (a == QZ_NO_ID || b == QZ_NO_ID || ab == QZ_NO_ID) return false;
    qz_merges_put(&t->merges, a, b, rank, ab);
    return true;
}

/* True if no merge has U+2581 at the start of its right part after something else at the end of its left part. */
static bool find_word_starts(const qz_tokenizer *t) {
    static const char mark[] = "\xe2\x96\x81";
    if (t->byte_level || t->unigram.on || t->ignore_merges) return false;
    if (qz_vocab_find(&t->vocab, mark, 3) == QZ_NO_ID) return false;
    for (size_t i = 0; i < t->merges.n_slots; i++) {
        uint64_t key = t->merges.slots[i].key;
        if (key == UINT64_MAX) continue;
        const char *l = t->vocab.text[key >> 32], *r = t->vocab.text[key & UINT32_MAX];
        size_t nl = t->vocab.len[key >> 32], nr = t->vocab.len[key & UINT32_MAX];
        if (nr < 3 || memcmp(r, mark, 3) != 0) continue;
        if (nl < 3 || memcmp(l + nl - 3, mark, 3) != 0) return false;
    }
    return true;
}

static void fill_tables(qz_tokenizer *t) {
    for (unsigned b = 0; b < 256; b++) {
        char s[8];
        size_t n;
        if (t->byte_level) {
            n = qz_utf8_put(qz_byte_char((uint8_t)b), s);
        } else {
            static const char hex[] = "0123456789ABCDEF";
            memcpy(s, (char[]){'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'}, 6);
            n = 6;
        }
        t->byte_ids[b] = qz_vocab_find(&t->vocab, s, n);
    }
    for (unsigned c = 0; c < 128; c++) t->ascii_ids[c] = qz_vocab_find(&t->vocab, (char[]){(char)c}, 1);
    t->word_starts = find_word_starts(t);
}

/* Text that is searched for a normalized added token: normalizer(content). */
static qz_status normalized_text(qz_tokenizer *t, qz_added *a, qz_error *err) {
    qz_enc e = {.t = t};
    const char *s;
    size_t n;
    qz_status st = qz_normalize(&e, a->text, a->n, &s, &n, err);
    if (st == QZ_OK) {
        a->text = qz_arena_strndup(&t->arena, s, n);
        a->n = n;
        t->norm_text[a->id] = a->text;
        if (!a->text) st = no_memory(t, err);
    }
    qz_enc_release(&e);
    return st;
}

qz_status qz_tok_finish(qz_tokenizer *t, qz_added *added, const bool *normalized, size_t n_added, qz_error *err) {
    t->norm_text = qz_arena_calloc(&t->arena, t->vocab.n + 1, sizeof *t->norm_text);
    t->added[0].v = qz_calloc_array(n_added, sizeof *added);
    t->added[1].v = qz_calloc_array(n_added, sizeof *added);
    if (!t->norm_text || !t->added[0].v || !t->added[1].v) return no_memory(t, err);
    for (size_t i = 0; i < n_added; i++) {
        if (normalized[i]) QZ_TRY(normalized_text(t, &added[i], err));
        qz_added_set *set = &t->added[normalized[i] ? 1 : 0];
        if (added[i].n) set->v[set->n++] = added[i];
    }
    qz_added_set_close(&t->added[0]);
    qz_added_set_close(&t->added[1]);
    fill_tables(t);
    return t->unigram.on ? qz_unigram_close(t, err) : QZ_OK;
}

static qz_status read_added(qz_tokenizer *t, const json_t *list, qz_added *v, bool *normalized, size_t *count,
                            qz_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *j = json_array_get(list, i);
        qz_added a = {0};
        uint64_t id = UINT64_MAX;
        bool norm = true;
        QZ_TRY(text_of(t, j, "content", &a.text, &a.n, err));
        QZ_TRY(qz_json_u64(j, "id", t->path, &id, err));
        QZ_TRY(qz_json_bool(j, "single_word", t->path, &a.single_word, err));
        QZ_TRY(qz_json_bool(j, "lstrip", t->path, &a.lstrip, err));
        QZ_TRY(qz_json_bool(j, "rstrip", t->path, &a.rstrip, err));
        QZ_TRY(qz_json_bool(j, "special", t->path, &a.special, err));
        norm = !a.special;
        QZ_TRY(qz_json_bool(j, "normalized", t->path, &norm, err));
        t->n_empty_added += a.n == 0;
        if (a.n == 0) continue;
        if (id >= QZ_TOK_MAX_ID) return bad(t, "added_tokens", "an id is missing or out of range", err);
        a.id = (uint32_t)id;
        uint8_t flags = (uint8_t)(QZ_TOKF_USED | QZ_TOKF_ADDED | (a.special ? QZ_TOKF_SPECIAL : 0));
        bool known = qz_vocab_find(&t->vocab, a.text, a.n) == a.id && (t->vocab.flags[a.id] & QZ_TOKF_ADDED);
        QZ_TRY(qz_vocab_add(&t->vocab, &t->arena, (qz_new_token){a.text, a.n, a.id, flags}, t->path, err));
        size_t at = n;
        for (size_t k = 0; known && k < n; k++)
            if (v[k].id == a.id) at = k; /* the later entry replaces the earlier */
        v[at] = a;
        normalized[at] = norm;
        n += at == n;
    }
    *count = n;
    return QZ_OK;
}

qz_status qz_tok_build_pipeline(qz_tokenizer *t, const json_t *root, qz_error *err) {
    const json_t *list = json_object_get(root, "added_tokens");
    size_t n = json_array_size(list);
    qz_added *v = qz_calloc_array(n, sizeof *v);
    bool *normalized = qz_calloc_array(n, sizeof *normalized);
    qz_status st = QZ_OK;
    if (!v || !normalized) QZ_GOTO(no_memory(t, err));
    QZ_GOTO(qz_tok_build_normalizer(t, json_object_get(root, "normalizer"), 0, err));
    QZ_GOTO(qz_tok_build_pre(t, json_object_get(root, "pre_tokenizer"), 0, err));
    QZ_GOTO(qz_tok_build_decoder(t, json_object_get(root, "decoder"), 0, err));
    QZ_GOTO(read_added(t, list, v, normalized, &n, err));
    QZ_GOTO(qz_tok_build_post(t, json_object_get(root, "post_processor"), 0, err));
    QZ_GOTO(qz_tok_finish(t, v, normalized, n, err));
out:
    qz_free(v);
    qz_free(normalized);
    return st;
}
