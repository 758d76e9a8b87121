/* Speed of a server with so many requests at once: time to the first text, time of an answer, tokens a second. */
#include "base/io.h"
#include "base/size.h"
#include "pipeline/served.h"
#include "text/chat.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUESTS = 8 };
static const char default_prompt[] = "Convert temperature.\n\n75 F";

/* A stream of events: each is a line "data: JSON" with a piece of the answer. */
typedef struct { qz_str line; double first; size_t tokens; bool chat; } stream;

static void event(stream *s, double seconds) {
    json_t *root = NULL;
    if (s->line.len < 7 || strncmp(s->line.ptr, "data: ", 6) != 0 || s->line.ptr[6] != '{' ||
        qz_json_parse(s->line.ptr + 6, s->line.len - 6, "event", &root, &(qz_error){0}) != QZ_OK)
        return;
    const json_t *c = json_array_get(json_object_get(root, "choices"), 0);
    const char *text = json_string_value(json_object_get(root, "content"));
    if (text == NULL) text = json_string_value(json_object_get(c, "text"));
    if (text == NULL) text = json_string_value(json_object_get(json_object_get(c, "delta"), "content"));
    if (text && *text && s->tokens++ == 0) s->first = seconds;
    json_decref(root);
}
static void on_piece(void *arg, double seconds, const char *bytes, size_t n) {
    stream *s = arg;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\r') continue;
        if (bytes[i] != '\n') {
            if (s->line.len < 1 << 20) qz_str_putc(&s->line, bytes[i]);
            continue;
        }
        event(s, seconds);
        qz_str_clear(&s->line);
    }
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static double quantile(double *v, size_t n, size_t percent) {
    qsort(v, n, sizeof *v, by_value);
    return v[qz_min_size(n - 1, n * percent / 100)];
}

static qz_status level(qz_serving *s, const qz_http_job *one, size_t width, qz_served_speed *out, qz_error *err) {
    const size_t n = qz_max_size(REQUESTS, 2 * width);
    qz_http_job *jobs = qz_calloc_array(n, sizeof *jobs);
    stream *streams = qz_calloc_array(n, sizeof *streams);
    double *v = qz_alloc_array(2 * n, sizeof *v);
    qz_status st = jobs && streams && v ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; st == QZ_OK && i < n; i++) {
        jobs[i] = *one;
        jobs[i].piece = on_piece;
        jobs[i].arg = &streams[i];
    }
    const double start = qz_now();
    if (st == QZ_OK) st = qz_http_many(s->at.http, jobs, n, width, err);
    const double seconds = qz_now() - start;
    size_t done = 0;
    *out = (qz_served_speed){.width = width, .requests = n};
    for (size_t i = 0; st == QZ_OK && i < n; i++) {
        if (!jobs[i].done || streams[i].tokens == 0) {
            out->failed++;
            continue;
        }
        v[done] = streams[i].first;
        v[n + done++] = jobs[i].seconds;
        out->tokens += streams[i].tokens;
    }
    if (st == QZ_OK && done == 0)
        st = jobs[0].done ? qz_fail(err, QZ_EFORMAT, "the server streams no answer: %zu requests of %zu gave no "
                                    "text", n, n)
                          : qz_fail(err, jobs[0].why.code, "%s", jobs[0].why.text);
    if (st == QZ_OK) {
        out->ttft_p50 = quantile(v, done, 50);
        out->ttft_p95 = quantile(v, done, 95);
        out->p50 = quantile(v + n, done, 50);
        out->p95 = quantile(v + n, done, 95);
        out->tokens_s = (double)out->tokens / seconds;
    }
    for (size_t i = 0; streams && i < n; i++) qz_str_release(&streams[i].line);
    qz_free(streams);
    qz_free(jobs);
    qz_free(v);
    return st;
}

static qz_status width_of(qz_piece p, size_t *out, qz_error *err) {
    char text[16], *end;
    (void)snprintf(text, sizeof text, "%.*s", (int)qz_min_size(p.n, 15), p.at);
    const unsigned long v = strtoul(text, &end, 10);
    if (*end || end == text || text[0] == '-' || v < 1 || v > 64)
        return qz_fail(err, QZ_EUSAGE, "bad value '%s' in --concurrency: expected numbers from 1 to 64, for example "
                                       "1,4,16,64", text);
    *out = (size_t)v;
    return QZ_OK;
}

qz_status qz_serving_speed(qz_serving *s, qz_error *err) {
    const char *list = s->r->concurrency;
    qz_str body = {0};
    json_t *m = json_pack("[{s:s,s:s}]", "role", "user", "content", default_prompt);
    char *messages = m ? json_dumps(m, JSON_COMPACT) : NULL;
    const qz_tokenizer *t = s->model.tokenizer;
    const bool chat = qz_tokenizer_chat_template(t) != NULL;
    qz_ids ids = {0};
    qz_str prompt = {0};
    qz_status st = messages ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (!chat) qz_str_puts(&prompt, default_prompt);
    else if (st == QZ_OK)
        st = qz_chat_apply(t, &(qz_conversation){.messages = m, .add_generation_prompt = true}, &prompt, err);
    if (st == QZ_OK && prompt.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK)
        st = qz_tokenizer_encode(t, prompt.ptr, prompt.len,
                                 QZ_ENCODE_PARSE_SPECIAL | (chat ? 0u : (unsigned)QZ_ENCODE_SPECIAL), &ids, err);
    const qz_served_question q = {.ids = {ids.ids, ids.n}, .text = prompt.ptr, .messages = messages,
                                  .max_new = (size_t)s->r->max_new, .stream = true};
    qz_http_job one = {.body = ""};
    if (st == QZ_OK) one.path = qz_openai_request(&s->at, &q, &body), one.body = body.ptr;
    if (st == QZ_OK && body.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    for (qz_piece p; st == QZ_OK && qz_list_next(&list, &p);) {
        size_t width = 0;
        st = s->out.n_speed == QZ_SERVED_LEVELS
                 ? qz_fail(err, QZ_EUSAGE, "too many values in --concurrency: expected at most %d", QZ_SERVED_LEVELS)
                 : width_of(p, &width, err);
        if (st == QZ_OK) st = level(s, &one, width, &s->out.speed[s->out.n_speed], err);
        s->out.n_speed += st == QZ_OK;
    }
    qz_ids_release(&ids);
    qz_str_release(&body);
    qz_str_release(&prompt);
    free(messages); /* jansson's */
    json_decref(m);
    return st;
}
