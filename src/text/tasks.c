/* Reading of task files (docs/tasks.md; models/README.md; C-95). */
#include "base/json.h"
#include "base/size.h"
#include "base/utf8.h"
#include "text/chat.h"
#include "text/dataset_int.h"
#include "text/schema.h"
#include "text/task_int.h"
#include <string.h>

static const struct { const char *name, *key; } checks[] = {
#define QZ_CHECK_ROW(id, name, key, words) {name, key},
#include "text/checks.def"
#undef QZ_CHECK_ROW
};
const char *qz_check_name(qz_check c) { return checks[c].name; }

qz_status qz_taskset_add(qz_taskset *s, size_t *room, const qz_task *task, qz_error *err) {
    if (s->n == *room) {
        size_t cap = *room ? 2 * *room : 256;
        qz_task *more = qz_arena_alloc(&s->arena, cap, sizeof *more);
        if (more == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading tasks");
        if (s->n) memcpy(more, s->tasks, s->n * sizeof *more);
        s->tasks = more;
        *room = cap;
    }
    s->tasks[s->n++] = *task;
    return QZ_OK;
}

typedef struct { qz_taskset *s; const qz_tokenizer *t; size_t cap; qz_error *err; } reader;

static qz_status read_check(const json_t *o, const char *where, qz_task *task, qz_error *err) {
    const char *check = NULL, *names = "";
    char text[200] = "";
    QZ_TRY(qz_json_str(o, "check", where, &check, err));
    if (check == NULL) QZ_TRY(qz_json_str(o, "scorer", where, &check, err));
    if (check == NULL) check = json_object_get(o, "choices") ? "choice" : "exact";
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (strcmp(checks[i].name, check) == 0) return task->check = (qz_check)i, QZ_OK;
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", names, checks[i].name);
        names = i + 3 > sizeof checks / sizeof checks[0] ? " or " : ", ";
    }
    return qz_fail(err, QZ_EFORMAT, "%s: unknown check '%s': expected %s", where, check, text);
}

/* A value as JSON text, in the arena. */
static qz_status keep_json(reader *r, const json_t *v, const char **out) {
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    *out = text ? qz_arena_strdup(&r->s->arena, text) : NULL;
    free(text);
    return v == NULL || *out ? QZ_OK : qz_fail(r->err, QZ_EMEMORY, "out of memory reading tasks");
}

static qz_status make_prompt(reader *r, const json_t *o, const char *where, qz_task *task) {
    const char *ins = NULL, *in = "", *prompt = NULL, *context = NULL;
    QZ_TRY(qz_json_str(o, "instruction", where, &ins, r->err));
    QZ_TRY(qz_json_str(o, "input", where, &in, r->err));
    QZ_TRY(qz_json_str(o, "prompt", where, &prompt, r->err));
    QZ_TRY(qz_json_str(o, "context", where, &context, r->err));
    const json_t *messages = json_object_get(o, "messages");
    if (context) return task->prompt = qz_task_keep(r->s, context), QZ_OK; /* as it is, whatever the model's template */
    if (!ins && !prompt && !json_is_array(messages))
        return qz_fail(r->err, QZ_EFORMAT,
                       "%s: no question: expected 'instruction', 'prompt', 'messages' or 'context'", where);
    char *question = ins      ? qz_data_question(&r->s->arena, ins, in)
                     : prompt ? qz_arena_strdup(&r->s->arena, prompt)
                              : NULL;
    bool chat = r->t && qz_tokenizer_chat_template(r->t);
    if (!chat && question) return task->prompt = question, QZ_OK;
    if (!chat) return qz_fail(r->err, QZ_EUSAGE, "%s: 'messages' need a chat template, and the model has none", where);
    json_t *m = question ? json_pack("[{s:s,s:s}]", "role", "user", "content", question) : NULL;
    qz_parts parts = {0};
    size_t n;
    qz_status st = m ? QZ_OK : qz_messages_plain(messages, where, true, &parts, &m, r->err);
    if (parts.left_out)
        st = qz_fail(r->err, QZ_EUNSUPPORTED, "%s: a question that is not text alone: found %s; leave the task out",
                     where, parts.names);
    const qz_conversation c = {.messages = m, .add_generation_prompt = true, .tools = json_object_get(o, "tools")};
    if (st == QZ_OK)
        st = qz_data_failed(where, qz_data_render(r->t, &c, &r->s->arena, &task->prompt, &n, r->err), r->err);
    if (st == QZ_OK) st = keep_json(r, m, &task->messages);
    json_decref(m);
    task->templated = true;
    return st;
}

qz_status qz_task_strings(qz_taskset *s, const json_t *list, qz_task_key k, const char *const **out, size_t *n,
                          qz_error *err) {
    const size_t count = json_is_array(list) ? json_array_size(list) : 1;
    const char **at = qz_arena_calloc(&s->arena, count + 1, sizeof *at);
    if (at == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading tasks");
    for (size_t i = 0; i < count; i++) {
        const json_t *x = json_is_array(list) ? json_array_get(list, i) : list;
        if (!json_is_string(x))
            return qz_fail(err, QZ_EFORMAT, "%s: key '%s': expected a list of strings, found %s in it", k.where, k.key,
                           qz_json_kind(x));
        at[i] = qz_arena_printf(&s->arena, "%s%s", k.before, json_string_value(x));
        if (at[i] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading tasks");
    }
    *out = at;
    *n = count;
    return QZ_OK;
}

qz_status qz_task_choices(qz_taskset *s, const json_t *list, const char *between, const char *where, qz_task *task,
                          qz_error *err) {
    if (!json_is_array(list) || json_array_size(list) < 2 || json_array_size(list) > QZ_TASK_CHOICES)
        return qz_fail(err, QZ_EFORMAT, "%s: key 'choices': expected a list of 2 to %d strings, found %s of %zu", where,
                       QZ_TASK_CHOICES, qz_json_kind(list), json_array_size(list));
    QZ_TRY(qz_task_strings(s, list, (qz_task_key){where, "choices", between}, &task->choices, &task->n_choices, err));
    size_t *sizes = qz_arena_alloc(&s->arena, 2 * task->n_choices, sizeof *sizes);
    if (sizes == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading tasks");
    for (size_t i = 0; i < task->n_choices; i++) {
        const char *c = json_string_value(json_array_get(list, i));
        if (*c == 0) return qz_fail(err, QZ_EFORMAT, "%s: choice %zu is empty", where, i);
        sizes[i] = qz_utf8_count(c, strlen(c));
        sizes[task->n_choices + i] = strlen(c);
    }
    task->choice_chars = sizes;
    task->choice_bytes = sizes + task->n_choices;
    return QZ_OK;
}

qz_status qz_task_answer(const json_t *answer, const json_t *list, const char *where, qz_task *task, qz_error *err) {
    const size_t n = json_array_size(list);
    const char *text = json_string_value(answer);
    size_t at = n;
    if (json_is_integer(answer) && json_integer_value(answer) >= 0 && json_integer_value(answer) < (json_int_t)n)
        at = (size_t)json_integer_value(answer);
    for (size_t i = 0; text && at == n && i < n; i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0) at = i;
    if (text && at == n && text[0] >= 'A' && text[0] < 'A' + (int)n && text[1] == 0) at = (size_t)(text[0] - 'A');
    char found[80];
    if (text) (void)snprintf(found, sizeof found, "'%.60s'", text);
    else if (json_is_integer(answer))
        (void)snprintf(found, sizeof found, "%lld", (long long)json_integer_value(answer));
    else (void)snprintf(found, sizeof found, "%s", qz_json_kind(answer));
    if (at == n)
        return qz_fail(err, QZ_EFORMAT, "%s: key 'answer': expected 0 to %zu, a letter or one of the choices, found %s",
                       where, n - 1, found);
    task->answer = at;
    return QZ_OK;
}

static qz_status read_choices(reader *r, const json_t *o, const char *where, qz_task *task) {
    const char *between = task->templated ? "" : " ";
    const json_t *list = json_object_get(o, "choices"), *answer = json_object_get(o, "answer");
    QZ_TRY(qz_json_str(o, "between", where, &between, r->err));
    QZ_TRY(qz_task_choices(r->s, list, between, where, task, r->err));
    return qz_task_answer(answer ? answer : json_object_get(o, "output"), list, where, task, r->err);
}

static qz_status read_expected(reader *r, const json_t *o, const char *where, qz_task *task) {
    const json_t *v = json_object_get(o, "output");
    if (v == NULL) v = json_object_get(o, "expected");
    if (task->check == QZ_CHECK_CHOICE || v == NULL || json_is_null(v)) return QZ_OK;
    if (json_is_string(v)) return task->output = qz_task_keep(r->s, json_string_value(v)), QZ_OK;
    if (task->check == QZ_CHECK_JSON || task->check == QZ_CHECK_TOOL_CALL || task->check == QZ_CHECK_NUMBER)
        return keep_json(r, v, &task->output);
    return qz_fail(r->err, QZ_EFORMAT, "%s: key 'output': expected a string, found %s", where, qz_json_kind(v));
}

/* extract: "strict" or "flexible" of a number and of a pattern with an output. */
static qz_status read_extract(reader *r, const json_t *o, const char *where, qz_task *task) {
    const char *how = NULL;
    QZ_TRY(qz_json_str(o, "extract", where, &how, r->err));
    const bool strict = how && strcmp(how, "strict") == 0, pattern = task->check == QZ_CHECK_REGEX && task->output;
    if (how && !strict && strcmp(how, "flexible") != 0)
        return qz_fail(r->err, QZ_EFORMAT, "%s: key 'extract': expected strict or flexible, found '%s'", where, how);
    if (how && !pattern && task->check != QZ_CHECK_NUMBER)
        return qz_fail(r->err, QZ_EFORMAT, "%s: key 'extract' is of check number, and of regex with an output", where);
    if (pattern) task->extract = (qz_extract){task->pattern, !strict, ""};
    else if (strict) task->extract = (qz_extract){"####\\s*([-+]?[$0-9][0-9.,]*)", false, ""};
    return QZ_OK;
}

static qz_status on_task(void *arg, const json_t *o, size_t line, const char *where) {
    reader *r = arg;
    qz_task task = {.line = line, .tolerance = 0};
    const char *kind = NULL, *pattern = NULL, *group = NULL, *language = NULL;
    if (!json_is_object(o)) return qz_fail(r->err, QZ_EFORMAT, "%s: expected a JSON object", where);
    QZ_TRY(qz_json_str(o, "kind", where, &kind, r->err));
    QZ_TRY(qz_json_str(o, "group", where, &group, r->err));
    QZ_TRY(qz_json_str(o, "language", where, &language, r->err));
    QZ_TRY(qz_json_str(o, "pattern", where, &pattern, r->err));
    QZ_TRY(qz_json_f64(o, "tolerance", where, &task.tolerance, r->err));
    bool strip = true;
    QZ_TRY(qz_json_bool(o, "strip", where, &strip, r->err));
    task.as_is = !strip;
    QZ_TRY(read_check(o, where, &task, r->err));
    QZ_TRY(read_expected(r, o, where, &task));
    const char *key = checks[task.check].key;
    if (*key && !(strcmp(key, "output") == 0 ? task.output != NULL : json_object_get(o, key) != NULL))
        return qz_fail(r->err, QZ_EFORMAT, "%s: check '%s' needs key '%s'", where, checks[task.check].name, key);
    QZ_TRY(make_prompt(r, o, where, &task));
    task.kind = qz_task_keep(r->s, kind ? kind : checks[task.check].name);
    task.group = qz_task_keep(r->s, group);
    task.language = qz_task_keep(r->s, language);
    task.pattern = qz_task_keep(r->s, pattern);
    if (pattern) QZ_TRY(qz_data_failed(where, qz_pattern_check(pattern, r->err), r->err));
    if (task.check == QZ_CHECK_CHOICE) QZ_TRY(read_choices(r, o, where, &task));
    if (task.check == QZ_CHECK_LIKELIHOOD && !task.templated) {
        const char *between = " ";
        QZ_TRY(qz_json_str(o, "between", where, &between, r->err));
        task.output = qz_arena_printf(&r->s->arena, "%s%s", between, task.output);
    }
    QZ_TRY(read_extract(r, o, where, &task));
    if (json_object_get(o, "until"))
        QZ_TRY(qz_task_strings(r->s, json_object_get(o, "until"), (qz_task_key){where, "until", ""}, &task.until,
                               &task.n_until, r->err));
    uint64_t most = 0;
    QZ_TRY(qz_json_u64(o, "max_new", where, &most, r->err));
    if (most > 131072)
        return qz_fail(r->err, QZ_EFORMAT, "%s: key 'max_new': expected at most 131072, found %llu", where,
                       (unsigned long long)most);
    task.max_new = (size_t)most;
    QZ_TRY(keep_json(r, json_object_get(o, "schema"), &task.schema));
    QZ_TRY(keep_json(r, json_object_get(o, "tools"), &task.tools));
    if (task.schema && task.check == QZ_CHECK_JSON_SCHEMA)
        QZ_TRY(qz_data_failed(where, qz_schema_check(json_object_get(o, "schema"), r->err), r->err));
    if (task.check == QZ_CHECK_TOOL_CALL)
        QZ_TRY(qz_data_failed(where, qz_tools_check(json_object_get(o, "tools"), r->err), r->err));
    return qz_taskset_add(r->s, &r->cap, &task, r->err);
}

qz_status qz_taskset_load(const char *path, const qz_tokenizer *t, size_t max_tasks, qz_taskset *out, qz_error *err) {
    *out = (qz_taskset){0};
    char *text = NULL;
    size_t len = 0;
    QZ_TRY(qz_data_open(path, &text, &len, out->sha_hex, err));
    reader r = {.s = out, .t = t, .err = err};
    out->path = qz_arena_strdup(&out->arena, path);
    qz_status st = qz_jsonl_each(path, text, len, max_tasks, on_task, &r, err);
    qz_free(text);
    if (st == QZ_OK && out->n == 0) st = qz_fail(err, QZ_EUSAGE, "no tasks in '%s'", path);
    if (st != QZ_OK) qz_taskset_release(out);
    return st;
}
void qz_taskset_release(qz_taskset *s) {
    qz_arena_release(&s->arena);
    *s = (qz_taskset){0};
}
