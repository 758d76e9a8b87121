/* Readers of text and JSONL data. The kind of a JSONL file is that of its first record; every record must be
 * of that kind. */
#include "text/dataset.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "text/chat.h"
#include "text/dataset_int.h"
#include "text/text_file.h"
#include <stdio.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 30 };

static const char *const readers[] = {"a text file", "JSONL of text", "JSONL of instruction/input/output",
                                      "JSONL of messages", "JSONL of token ids"};

static bool hub_name(const char *path) {
    static const char *const names[] = {"c4", "wikitext", "wikitext2", "ptb", "pileval", "pile", "ultrachat_200k",
                                        "open_platypus"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(path, names[i]) == 0) return true;
    return false;
}
qz_status qz_data_open(const char *path, char **text, size_t *len, char sha_hex[65], qz_error *err) {
    if (!qz_path_exists(path) && hub_name(path))
        return qz_fail(err, QZ_EUSAGE,
                       "data set '%s' is not fetched: quantz uses no network; give a local file, for example "
                       "'%s.jsonl' with one {\"text\": …} a line",
                       path, path);
    return qz_text_read(path, FILE_LIMIT, text, len, sha_hex, err);
}

qz_status qz_data_failed(const char *where, qz_status st, qz_error *err) {
    if (st == QZ_OK || !err) return st;
    const qz_error was = *err;
    *err = (qz_error){0};
    return qz_fail(err, st, "%s: %s", where, was.text);
}
qz_status qz_sample_failed(const qz_dataset *d, const qz_sample *s, qz_status st, qz_error *err) {
    char where[512];
    (void)snprintf(where, sizeof where, "%s:%zu", d->path, s->line);
    return qz_data_failed(where, st, err);
}

/* Instruction, blank line and input when there is one (C-01, C-02). */
char *qz_data_question(qz_arena *a, const char *instruction, const char *input) {
    return *input ? qz_arena_printf(a, "%s\n\n%s", instruction, input) : qz_arena_strdup(a, instruction);
}

qz_status qz_data_render(const qz_tokenizer *t, const qz_conversation *c, qz_arena *a, const char **text, size_t *n,
                         qz_error *err) {
    qz_str s = {0};
    qz_status st = qz_chat_apply(t, c, &s, err);
    if (st == QZ_OK) {
        *text = qz_arena_strndup(a, s.ptr ? s.ptr : "", s.len);
        *n = s.len;
        if (*text == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory rendering a chat");
    }
    qz_str_release(&s);
    return st;
}

typedef struct {
    qz_dataset *d;
    const qz_tokenizer *t;
    const qz_dataset_options *o;
    bool chat;        /* the chat template is applied */
    size_t cap;
    char where[512];  /* "file.jsonl:3" for error texts */
    qz_error *err;
} reader;

static qz_status add(reader *r, qz_sample s) {
    if (r->d->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 64;
        qz_sample *more = qz_arena_alloc(&r->d->arena, cap, sizeof *more);
        if (more == NULL) return qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->d->path);
        if (r->d->n) memcpy(more, r->d->samples, r->d->n * sizeof *more);
        r->d->samples = more;
        r->cap = cap;
    }
    r->d->samples[r->d->n++] = s;
    return QZ_OK;
}

static qz_status add_chat(reader *r, const json_t *messages, size_t line) {
    qz_sample s = {.line = line, .templated = true};
    const qz_conversation c = {.messages = messages};
    QZ_TRY(qz_data_failed(r->where, qz_data_render(r->t, &c, &r->d->arena, &s.text, &s.n, r->err), r->err));
    return add(r, s);
}

static qz_status instruction(reader *r, const json_t *o, size_t line) {
    const char *ins = NULL, *in = "", *out = "";
    QZ_TRY(qz_json_str(o, "instruction", r->where, &ins, r->err));
    QZ_TRY(qz_json_str(o, "input", r->where, &in, r->err));
    QZ_TRY(qz_json_str(o, "output", r->where, &out, r->err));
    if (ins == NULL || *ins == 0)
        return qz_fail(r->err, QZ_EFORMAT, "%s: key 'instruction' is missing or empty", r->where);
    char *question = qz_data_question(&r->d->arena, ins, in);
    if (question == NULL) return qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->d->path);
    bool answer = *out && !r->o->without_output;
    if (!r->chat) {
        const char *text = answer ? qz_arena_printf(&r->d->arena, "%s\n%s", question, out) : question;
        return text ? add(r, (qz_sample){.text = text, .n = strlen(text), .line = line}) : qz_fail(r->err, QZ_EMEMORY,
                                         "out of memory");
    }
    json_t *m = json_array();
    json_array_append_new(m, json_pack("{s:s,s:s}", "role", "user", "content", question));
    if (answer) json_array_append_new(m, json_pack("{s:s,s:s}", "role", "assistant", "content", out));
    qz_status st = add_chat(r, m, line);
    json_decref(m);
    return st;
}

static qz_status add_plain(reader *r, const json_t *m, size_t line) {
    qz_str s = {0};
    for (size_t i = 0; i < json_array_size(m); i++) {
        const char *c = json_string_value(json_object_get(json_array_get(m, i), "content"));
        qz_str_printf(&s, "%s%s", i ? "\n" : "", c ? c : "");
    }
    char *text = s.failed ? NULL : qz_arena_strndup(&r->d->arena, s.ptr ? s.ptr : "", s.len);
    qz_sample x = {.text = text, .n = s.len, .line = line};
    qz_str_release(&s);
    return text ? add(r, x) : qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->d->path);
}

static qz_status messages(reader *r, const json_t *o, size_t line) {
    json_t *m = NULL;
    QZ_TRY(qz_messages_plain(json_object_get(o, "messages"), r->where, r->chat, &r->d->parts, &m, r->err));
    qz_status st = r->chat ? add_chat(r, m, line) : add_plain(r, m, line);
    json_decref(m);
    return st;
}

static qz_status ids(reader *r, const json_t *o, size_t line) {
    const json_t *a = json_object_get(o, "ids");
    if (!json_is_array(a))
        return qz_fail(r->err, QZ_EFORMAT, "%s: key 'ids': expected an array of token ids", r->where);
    size_t n = json_array_size(a);
    uint32_t *v = qz_arena_alloc(&r->d->arena, n, sizeof *v);
    if (v == NULL) return qz_fail(r->err, QZ_EMEMORY, "out of memory reading '%s'", r->d->path);
    for (size_t i = 0; i < n; i++) {
        json_int_t x = json_is_integer(json_array_get(a, i)) ? json_integer_value(json_array_get(a, i)) : -1;
        if (x < 0 || x > (json_int_t)UINT32_MAX)
            return qz_fail(r->err, QZ_EFORMAT, "%s: key 'ids', entry %zu: expected a token id", r->where, i);
        v[i] = (uint32_t)x;
    }
    return add(r, (qz_sample){.text = "", .ids = v, .n_ids = n, .line = line});
}

static qz_status record(reader *r, const json_t *o, size_t line) {
    if (!json_is_object(o)) return qz_fail(r->err, QZ_EFORMAT, "%s: expected a JSON object", r->where);
    static const char *const keys[] = {"", "text", "instruction", "messages", "ids"};
    qz_data_kind kind = QZ_DATA_TEXT_FILE;
    for (int k = QZ_DATA_JSONL_IDS; k >= QZ_DATA_JSONL_TEXT; k--)
        if (json_object_get(o, keys[k])) kind = (qz_data_kind)k;
    if (kind == QZ_DATA_TEXT_FILE)
        return qz_fail(r->err, QZ_EFORMAT, "%s: no known key: expected 'text', 'instruction', 'messages' or 'ids'",
                       r->where);
    if (r->d->n == 0) {
        r->d->kind = kind;
        r->chat = r->t && !r->o->raw && qz_tokenizer_chat_template(r->t) &&
                  (kind == QZ_DATA_JSONL_INSTRUCTION || kind == QZ_DATA_JSONL_MESSAGES);
    } else if (kind != r->d->kind)
        return qz_fail(r->err, QZ_EFORMAT, "%s: mixed records: expected '%s' as in the lines before, found '%s'",
                       r->where, keys[r->d->kind], keys[kind]);
    switch (kind) {
    case QZ_DATA_JSONL_INSTRUCTION: return instruction(r, o, line);
    case QZ_DATA_JSONL_MESSAGES: return messages(r, o, line);
    case QZ_DATA_JSONL_IDS: return ids(r, o, line);
    case QZ_DATA_JSONL_TEXT:
    case QZ_DATA_TEXT_FILE: break;
    }
    const json_t *v = json_object_get(o, "text");
    if (!json_is_string(v)) return qz_fail(r->err, QZ_EFORMAT, "%s: key 'text': expected a string", r->where);
    size_t n = json_string_length(v);
    char *text = qz_arena_strndup(&r->d->arena, json_string_value(v), n);
    return text ? add(r, (qz_sample){.text = text, .n = n, .line = line}) : qz_fail(r->err, QZ_EMEMORY,
                                     "out of memory reading '%s'", r->d->path);
}

qz_status qz_jsonl_each(const char *path, const char *text, size_t len, size_t max, qz_jsonl_fn fn, void *arg,
                        qz_error *err) {
    size_t line = 0, used = 0;
    for (size_t at = 0; at < len && (max == 0 || used < max);) {
        const char *nl = memchr(text + at, '\n', len - at);
        size_t n = nl ? (size_t)(nl - (text + at)) : len - at;
        line++;
        const char *s = text + at;
        at += n + 1;
        while (n && (s[n - 1] == '\r' || s[n - 1] == ' ' || s[n - 1] == '\t')) n--;
        if (n == 0) continue;
        char where[512];
        json_error_t je;
        (void)snprintf(where, sizeof where, "%s:%zu", path, line);
        json_t *o = json_loadb(s, n, JSON_ALLOW_NUL, &je);
        if (o == NULL) return qz_fail(err, QZ_EFORMAT, "%s: bad JSON at offset %d: %s", where, je.position, je.text);
        qz_status st = fn(arg, o, line, where);
        json_decref(o);
        QZ_TRY(st);
        used++;
    }
    return QZ_OK;
}

static qz_status on_record(void *arg, const json_t *o, size_t line, const char *where) {
    reader *r = arg;
    (void)snprintf(r->where, sizeof r->where, "%s", where);
    return record(r, o, line);
}

static bool looks_like_jsonl(const char *path, const char *text, size_t len) {
    if (qz_str_ends(path, ".jsonl") || qz_str_ends(path, ".json")) return true;
    size_t i = 0;
    while (i < len && strchr(" \t\r\n", text[i]) && text[i]) i++;
    return i < len && text[i] == '{' && !qz_str_ends(path, ".txt");
}

qz_status qz_dataset_load(const char *path, const qz_tokenizer *t, const qz_dataset_options *o, qz_dataset *out,
                          qz_error *err) {
    *out = (qz_dataset){0};
    static const qz_dataset_options defaults;
    char *text = NULL;
    size_t len = 0;
    QZ_TRY(qz_data_open(path, &text, &len, out->sha_hex, err));
    reader r = {.d = out, .t = t, .o = o ? o : &defaults, .err = err};
    out->path = qz_arena_strdup(&out->arena, path);
    qz_status st = out->path ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", path);
    if (st == QZ_OK && looks_like_jsonl(path, text, len))
        st = qz_jsonl_each(path, text, len, r.o->max_samples, on_record, &r, err);
    else if (st == QZ_OK && len > 0) {
        char *copy = qz_arena_strndup(&out->arena, text, len);
        st = copy ? add(&r, (qz_sample){.text = copy, .n = len, .line = 1}) : qz_fail(err, QZ_EMEMORY,
                                        "out of memory reading '%s'", path);
    }
    qz_free(text);
    if (st == QZ_OK && out->n == 0)
        st = qz_fail(err, QZ_EUSAGE, "no data: file '%s' is empty: expected text or JSONL records", path);
    out->reader = readers[out->kind];
    if (st != QZ_OK) qz_dataset_release(out);
    return st;
}
void qz_dataset_release(qz_dataset *d) {
    qz_arena_release(&d->arena);
    *d = (qz_dataset){0};
}

qz_status qz_sample_encode(const qz_tokenizer *t, const qz_sample *s, bool no_special, qz_ids *out, qz_error *err) {
    for (size_t i = 0; i < s->n_ids; i++) QZ_TRY(qz_ids_push(out, s->ids[i], err));
    if (s->ids) return QZ_OK;
    if (t == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "the model has no tokenizer: expected records with token ids ({\"ids\": [...]})");
    unsigned special = no_special || s->templated ? 0u : (unsigned)QZ_ENCODE_SPECIAL;
    return qz_tokenizer_encode(t, s->text, s->n, QZ_ENCODE_PARSE_SPECIAL | special, out, err);
}
