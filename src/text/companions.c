/* What stands beside tokenizer.json: tokenizer_config.json, special_tokens_map.json, added_tokens.json. Tokens named
 * only there are added as transformers 5 does (tests/golden/text/companions): first added_tokens_decoder by its ids, or
 * without that key added_tokens.json; then the named special tokens; then lists of further ones. A token of the model's
 * vocabulary keeps its id, any other gets the next free id, whatever id the file states. */
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "text/tokenizer_int.h"

#define FILE_LIMIT ((size_t)64 << 20)
static const char *const named[] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
                                    "mask_token"};
#define N_NAMED (sizeof named / sizeof named[0])

static qz_status no_memory(const qz_tokenizer *t, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory while loading tokenizer '%s'", t->path);
}

static qz_status load_object(const char *dir, const char *name, json_t **out, qz_error *err) {
    char *path = qz_path_join(dir, name);
    *out = NULL;
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory while loading '%s'", name);
    qz_status st = qz_path_exists(path) ? qz_json_load(path, FILE_LIMIT, out, err) : QZ_OK;
    if (st == QZ_OK && *out && !json_is_object(*out))
        st = qz_fail(err, QZ_EFORMAT, "bad value: file '%s': expected an object", path);
    if (st != QZ_OK) {
        json_decref(*out);
        *out = NULL;
    }
    qz_free(path);
    return st;
}

/* Also of those that the newer form makes needless: who links to nothing has lost more than one file. */
static qz_status refuse_dangling(const char *dir, qz_error *err) {
    static const char *const files[] = {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                        "chat_template.jinja"};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && st == QZ_OK; i++) {
        uint64_t size = 0;
        char *path = qz_path_join(dir, files[i]);
        if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory while loading '%s'", files[i]);
        if (qz_path_kind_of(path) == QZ_PATH_DANGLING) st = qz_file_size(path, &size, err);
        qz_free(path);
    }
    return st;
}

qz_status qz_tok_config(const qz_tokenizer *t, const char *dir, json_t **out, qz_error *err) {
    json_t *map = NULL;
    *out = NULL;
    QZ_TRY(refuse_dangling(dir, err));
    QZ_TRY(load_object(dir, "tokenizer_config.json", out, err));
    if (json_object_get(*out, "added_tokens_decoder")) return QZ_OK; /* the newer form is complete */
    qz_status st = load_object(dir, "special_tokens_map.json", &map, err);
    if (st == QZ_OK && map) {
        if (!*out) *out = json_object();
        const char *key;
        json_t *v;
        json_object_foreach(map, key, v) {
            if (!json_is_null(v) && json_object_set(*out, key, v) != 0) st = no_memory(t, err);
        }
    }
    json_decref(map);
    return st;
}

static const char *content_of(const json_t *v) {
    return json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);
}

typedef struct { const qz_tokenizer *t; json_t *list; json_int_t next; qz_error *err; } adder;

static bool listed(const json_t *list, const char *text) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *have = json_string_value(json_object_get(json_array_get(list, i), "content"));
        if (have && strcmp(have, text) == 0) return true;
    }
    return false;
}

/* v: a string or an object with content and flags. */
static qz_status add(adder *a, const json_t *v, bool special) {
    static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
    const char *text = content_of(v);
    if (!text || !*text || listed(a->list, text)) return QZ_OK;
    uint32_t have = qz_vocab_find(&a->t->vocab, text, strlen(text));
    const json_t *s = json_object_get(v, "special"), *norm = json_object_get(v, "normalized");
    if (json_is_boolean(s) && !special) special = json_is_true(s);
    bool normalized = json_is_boolean(norm) ? json_is_true(norm) : !special;
    json_t *o = json_pack("{s:I,s:s,s:b,s:b}", "id", have != QZ_NO_ID ? (json_int_t)have : a->next, "content", text,
                          "special", special, "normalized", normalized);
    for (size_t i = 0; o && i < 3; i++)
        if (json_object_set_new(o, flags[i], json_boolean(json_is_true(json_object_get(v, flags[i])))) != 0)
            return json_decref(o), no_memory(a->t, a->err);
    if (have == QZ_NO_ID) a->next++;
    return o && json_array_append_new(a->list, o) == 0 ? QZ_OK : no_memory(a->t, a->err);
}

/* Entries {id: token} or {token: id} in the order of their ids. */
typedef struct { json_int_t id; const char *key; const json_t *v; } entry;
static int by_id(const void *x, const void *y) {
    const entry *a = x, *b = y;
    return a->id != b->id ? (a->id > b->id) - (a->id < b->id) : strcmp(a->key, b->key);
}

static qz_status add_all(adder *a, const json_t *o, bool id_first, const json_t *config) {
    size_t n = 0;
    entry *e = qz_calloc_array(json_object_size(o) + 1, sizeof *e);
    if (!e) return no_memory(a->t, a->err);
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
        e[n++] = (entry){id_first ? strtoll(key, NULL, 10) : json_integer_value(v), key, v};
    if (n) qsort(e, n, sizeof *e, by_id);
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        bool special = false;
        json_t *text = id_first ? NULL : json_string(e[i].key);
        for (size_t k = 0; k < N_NAMED && text; k++) {
            const char *c = content_of(json_object_get(config, named[k]));
            special |= c && strcmp(c, e[i].key) == 0;
        }
        st = add(a, text ? text : e[i].v, special);
        json_decref(text);
    }
    qz_free(e);
    return st;
}

static bool is_named(const char *key) {
    for (size_t i = 0; i < N_NAMED; i++)
        if (strcmp(named[i], key) == 0) return true;
    return false;
}

static qz_status add_special(adder *a, const json_t *config) {
    static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};
    const char *key;
    json_t *v;
    for (size_t i = 0; i < N_NAMED; i++) QZ_TRY(add(a, json_object_get(config, named[i]), true));
    json_object_foreach((json_t *)(uintptr_t)config, key, v) {
        size_t n = strlen(key);
        if (n > 6 && strcmp(key + n - 6, "_token") == 0 && !is_named(key)) QZ_TRY(add(a, v, true)); /* image_token … */
    }
    for (size_t i = 0; i < 2; i++) {
        const json_t *list = json_object_get(config, lists[i]);
        for (size_t k = 0; k < json_array_size(list); k++) QZ_TRY(add(a, json_array_get(list, k), true));
        json_object_foreach((json_t *)(uintptr_t)list, key, v) QZ_TRY(add(a, v, true));
    }
    return QZ_OK;
}

qz_status qz_tok_add_companions(const qz_tokenizer *t, json_t *root, const json_t *config, const char *dir,
                                qz_error *err) {
    json_t *list = json_object_get(root, "added_tokens"), *added = NULL;
    const json_t *decoder = json_object_get(config, "added_tokens_decoder");
    if (!decoder) QZ_TRY(load_object(dir, "added_tokens.json", &added, err));
    qz_status st = QZ_OK;
    if (!config && !added) return QZ_OK;
    if (!json_is_array(list)) {
        list = json_array();
        if (!list || json_object_set_new(root, "added_tokens", list) != 0) QZ_GOTO(no_memory(t, err));
    }
    adder a = {.t = t, .list = list, .next = (json_int_t)t->vocab.count, .err = err};
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t id = json_integer_value(json_object_get(json_array_get(list, i), "id"));
        if (id >= a.next && id < QZ_TOK_MAX_ID) a.next = id + 1;
    }
    QZ_GOTO(add_all(&a, decoder ? decoder : added, decoder != NULL, config));
    st = add_special(&a, config);
out:
    json_decref(added);
    return st;
}

qz_status qz_tokenizer_absent(const char *dir, qz_error *err) {
    static const char *const files[] = {"tokenizer.model", "vocab.json", "merges.txt", "vocab.txt", "spiece.model",
                                        "sentencepiece.bpe.model",
                                        "tekken.json", "qwen.tiktoken", "tiktoken.model", "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json"};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && st == QZ_OK; i++) {
        char *path = qz_path_join(dir, files[i]);
        if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
        if (qz_path_exists(path))
            st = qz_fail(err, QZ_EUNSUPPORTED,
                         "no tokenizer.json: folder '%s': expected the fast tokenizer, found '%s' alone; save it with "
                         "transformers: "
                         "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
                         dir, files[i]);
        qz_free(path);
    }
    return st;
}
