/* Task files: a question, the expected output and how an answer is checked (models/README.md; C-95). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "base/json.h"
#include "base/size.h"
#include "text/dataset_int.h"
#include <math.h>
#include <string.h>

static const char *const checks[] = {"exact", "json", "number", "contains", "regex"};

typedef struct { qz_taskset *s; const qz_tokenizer *t; size_t cap; qz_error *err; } reader;

static qz_status read_check(const json_t *o, const char *where, qz_task *task, qz_error *err) {
    const char *check = NULL;
    QZ_TRY(qz_json_str(o, "check", where, &check, err));
    if (check == NULL) QZ_TRY(qz_json_str(o, "scorer", where, &check, err));
    if (check == NULL) check = "exact";
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (strcmp(checks[i], check) == 0) return task->check = (qz_check)i, QZ_OK;
    return qz_fail(err, QZ_EFORMAT, "%s: unknown check '%s': expected exact, json, number, contains or regex", where,
                   check);
}

static const char *keep(reader *r, const char *s) { return s ? qz_arena_strdup(&r->s->arena, s) : NULL; }

static qz_status make_prompt(reader *r, const json_t *o, const char *where, qz_task *task) {
    const char *ins = NULL, *in = "", *prompt = NULL;
    QZ_TRY(qz_json_str(o, "instruction", where, &ins, r->err));
    QZ_TRY(qz_json_str(o, "input", where, &in, r->err));
    QZ_TRY(qz_json_str(o, "prompt", where, &prompt, r->err));
    const json_t *messages = json_object_get(o, "messages");
    if (!ins && !prompt && !json_is_array(messages))
        return qz_fail(r->err, QZ_EFORMAT, "%s: no question: expected 'instruction', 'prompt' or 'messages'", where);
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
    if (st == QZ_OK)
        st = qz_data_failed(where, qz_data_render(r->t, m, true, &r->s->arena, &task->prompt, &n, r->err), r->err);
    json_decref(m);
    task->templated = true;
    return st;
}

static qz_status on_task(void *arg, const json_t *o, size_t line, const char *where) {
    reader *r = arg;
    qz_task task = {.line = line, .tolerance = 0};
    const char *kind = NULL, *output = NULL, *pattern = NULL;
    if (!json_is_object(o)) return qz_fail(r->err, QZ_EFORMAT, "%s: expected a JSON object", where);
    QZ_TRY(qz_json_str(o, "kind", where, &kind, r->err));
    if (json_is_string(json_object_get(o, "output"))) QZ_TRY(qz_json_str(o, "output", where, &output, r->err));
    else QZ_TRY(qz_json_str(o, "expected", where, &output, r->err));
    QZ_TRY(qz_json_str(o, "pattern", where, &pattern, r->err));
    QZ_TRY(qz_json_f64(o, "tolerance", where, &task.tolerance, r->err));
    QZ_TRY(read_check(o, where, &task, r->err));
    if (task.check == QZ_CHECK_REGEX ? pattern == NULL : output == NULL)
        return qz_fail(r->err, QZ_EFORMAT, "%s: check '%s' needs key '%s'", where, checks[task.check],
                       task.check == QZ_CHECK_REGEX ? "pattern" : "output");
    QZ_TRY(make_prompt(r, o, where, &task));
    task.kind = keep(r, kind ? kind : checks[task.check]);
    task.output = keep(r, output);
    task.pattern = keep(r, pattern);
    if (r->s->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 256;
        qz_task *more = qz_arena_alloc(&r->s->arena, cap, sizeof *more);
        if (more == NULL) return qz_fail(r->err, QZ_EMEMORY, "out of memory reading tasks");
        if (r->s->n) memcpy(more, r->s->tasks, r->s->n * sizeof *more);
        r->s->tasks = more;
        r->cap = cap;
    }
    r->s->tasks[r->s->n++] = task;
    return QZ_OK;
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

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The last number in the text ("the total is 1,234.50 EUR" -> 1234.5). */
static bool last_number(const char *s, size_t n, double *out) {
    bool found = false;
    char buf[64];
    for (size_t i = 0; i < n;) {
        bool digit = s[i] >= '0' && s[i] <= '9';
        if (!digit) {
            i++;
            continue;
        }
        size_t start = i, k = 0;
        if (start && (s[start - 1] == '-' || s[start - 1] == '+')) buf[k++] = s[start - 1];
        while (i < n && k < sizeof buf - 1 &&
               ((s[i] >= '0' && s[i] <= '9') ||
                ((s[i] == '.' || s[i] == ',') && i + 1 < n && s[i + 1] >= '0' && s[i + 1] <= '9'))) {
            if (s[i] != ',') buf[k++] = s[i];
            i++;
        }
        buf[k] = 0;
        *out = strtod(buf, NULL);
        found = true;
    }
    return found;
}

static qz_status match(const char *pattern, const char *s, size_t n, bool *yes, qz_error *err) {
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
    if (re == NULL) return qz_fail(err, QZ_EFORMAT, "bad pattern '%s' at offset %zu", pattern, (size_t)at);
    pcre2_match_data *md = pcre2_match_data_create_from_pattern(re, NULL);
    pcre2_match_context *mc = pcre2_match_context_create(NULL);
    if (mc) (void)pcre2_set_match_limit(mc, 1000000); /* hostile patterns end */
    *yes = md && pcre2_match(re, (PCRE2_SPTR)s, n, 0, 0, md, mc) >= 0;
    pcre2_match_context_free(mc);
    pcre2_match_data_free(md);
    pcre2_code_free(re);
    return QZ_OK;
}

static void strip(const char **s, size_t *n) {
    while (*n && blank((*s)[*n - 1])) --*n;
    while (*n && blank(**s)) ++*s, --*n;
}

bool qz_task_is_json(const char *answer, size_t n) {
    json_error_t je;
    strip(&answer, &n);
    json_t *a = json_loadb(answer, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
    json_decref(a);
    return a != NULL;
}

qz_status qz_task_solved(const qz_task *task, const char *answer, size_t n, bool *solved, qz_error *err) {
    strip(&answer, &n);
    *solved = false;
    switch (task->check) {
    case QZ_CHECK_EXACT: *solved = strlen(task->output) == n && memcmp(task->output, answer, n) == 0; return QZ_OK;
    case QZ_CHECK_CONTAINS: *solved = memmem(answer, n, task->output, strlen(task->output)) != NULL; return QZ_OK;
    case QZ_CHECK_REGEX: return match(task->pattern, answer, n, solved, err);
    case QZ_CHECK_NUMBER: {
        double a, b;
        if (last_number(answer, n, &a) && last_number(task->output, strlen(task->output), &b))
            *solved = fabs(a - b) <= task->tolerance + 1e-12 * fabs(b);
        return QZ_OK;
    }
    case QZ_CHECK_JSON: {
        json_error_t je;
        json_t *a = json_loadb(answer, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je),
               *b = json_loads(task->output, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
        *solved = a && b && json_equal(a, b);
        json_decref(a);
        json_decref(b);
        return QZ_OK;
    }
    }
    return QZ_OK;
}
