/* What GGUF's keys can say of a tokenizer: its pipeline with the parts taken away that no key holds, over the same
 * vocabulary. Differences between a source and a GGUF file that this one shows as well are the container's. */
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/size.h"
#include "text/tokenizer_int.h"
#include "text/tokenizer_proof.h"

static const char mark[] = "\xe2\x96\x81"; /* U+2581 */

static void say(qz_str *lost, const char *what, const char *more) {
    if (lost->ptr && strstr(lost->ptr, what)) return;
    qz_str_printf(lost, "%s%s%s", lost->len ? ", " : "", what, more);
}

static const char *type_of(const json_t *j) {
    const char *s = json_string_value(json_object_get(j, "type"));
    return s ? s : "";
}

/* A normalizer without Unicode forms, case, accents: what stays is what U+2581 needs. New reference. */
static json_t *kept_normalizer(json_t *j, unsigned depth, qz_str *lost) {
    const char *type = type_of(j);
    if (!json_is_object(j) || depth > 8) return json_null();
    if (strcmp(type, "Prepend") == 0 || strcmp(type, "Replace") == 0) return json_incref(j);
    if (strcmp(type, "Sequence") != 0) {
        say(lost, "normalizer ", type);
        return json_null();
    }
    json_t *list = json_array();
    const json_t *all = json_object_get(j, "normalizers");
    for (size_t i = 0; list && i < json_array_size(all); i++) {
        json_t *one = kept_normalizer(json_array_get(all, i), depth + 1, lost);
        if (!json_is_object(one)) continue;
        if (json_array_append_new(list, one) != 0) return json_decref(list), NULL;
    }
    return list ? json_pack("{s:s,s:o}", "type", "Sequence", "normalizers", list) : NULL;
}

/* U+2581 in a token that is not special is stored as a blank. */
static qz_status spaced(const qz_tokenizer *t, json_t *token, qz_str *lost, qz_error *err) {
    const char *s = json_string_value(json_object_get(token, "content"));
    if (!s || !strstr(s, mark) || json_is_true(json_object_get(token, "special"))) return QZ_OK;
    qz_str out = {0};
    for (const char *hit; (hit = strstr(s, mark)); s = hit + 3) {
        qz_str_append(&out, s, (size_t)(hit - s));
        qz_str_putc(&out, ' ');
    }
    qz_str_puts(&out, s);
    const bool taken = out.ptr && qz_vocab_find(&t->vocab, out.ptr, out.len) != QZ_NO_ID;
    const bool ok = !out.failed && (taken || json_object_set_new(token, "content", json_string(out.ptr)) == 0);
    if (ok && !taken) say(lost, "U+2581 in added tokens", "");
    qz_str_release(&out);
    return ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory comparing tokenizers");
}

static qz_status plain_tokens(const qz_tokenizer *t, const json_t *list, qz_str *lost, qz_error *err) {
    static const char *const flags[] = {"lstrip", "rstrip", "single_word"};
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *token = json_array_get(list, i);
        if (!json_is_object(token)) continue;
        for (size_t k = 0; k < 3; k++) {
            if (!json_is_true(json_object_get(token, flags[k]))) continue;
            say(lost, flags[k], " of added tokens");
            (void)json_object_set_new(token, flags[k], json_false());
        }
        (void)json_object_set_new(token, "normalized", json_false());
        QZ_TRY(spaced(t, token, lost, err));
    }
    return QZ_OK;
}

/* Metaspace that marks the first word alone: the keys say a mark in front of every part of a text. */
static bool plain_metaspace(json_t *root, qz_str *lost) {
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    const char *scheme = json_string_value(json_object_get(pre, "prepend_scheme"));
    if (strcmp(type_of(pre), "Metaspace") != 0 || !scheme || strcmp(scheme, "first") != 0) return true;
    say(lost, "Metaspace 'first'", "");
    json_t *n = json_pack("{s:s,s:[{s:s,s:s},{s:s,s:{s:s},s:s}]}", "type", "Sequence", "normalizers", "type", "Prepend",
                          "prepend", mark, "type", "Replace", "pattern", "String", " ", "content", mark);
    return n && json_object_set_new(root, "normalizer", n) == 0 &&
           json_object_set_new(root, "pre_tokenizer", json_null()) == 0;
}

qz_status qz_tokenizer_storable(const qz_tokenizer *t, qz_tokenizer **out, qz_str *lost, qz_error *err) {
    qz_arena a = {0};
    qz_gguf_vocab v;
    json_t *root = NULL;
    char *text = NULL;
    qz_status st = QZ_OK;
    *out = NULL;
    if (t->pipeline == NULL || t->unigram.on) return QZ_OK;
    QZ_GOTO(qz_json_parse(t->pipeline, strlen(t->pipeline), t->path, &root, err));
    json_t *kept = kept_normalizer(json_object_get(root, "normalizer"), 0, lost);
    if (!kept || json_object_set_new(root, "normalizer", kept) != 0 || !plain_metaspace(root, lost))
        QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory comparing tokenizers"));
    QZ_GOTO(plain_tokens(t, json_object_get(root, "added_tokens"), lost, err));
    if (lost->len == 0) goto out;
    QZ_GOTO(qz_tokenizer_to_gguf(t, t->vocab.n, (qz_gguf_pre_wish){.forced = t->byte_level ? "default" : NULL}, &a, &v,
                                 err));
    text = json_dumps(root, JSON_COMPACT);
    if (!text) QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory comparing tokenizers"));
    v.pipeline = text;
    st = qz_tokenizer_from_gguf(&v, t->path, out, err);
out:
    free(text); /* jansson allocates with malloc */
    json_decref(root);
    qz_arena_release(&a);
    return st;
}
